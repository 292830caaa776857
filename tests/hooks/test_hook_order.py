"""The order of hook calls is the recipe's, however the file system lists what is installed."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import pytest
from plugin_site import GOOD_TASK, Site

from toolkit.hooks.manager import build_manager
from toolkit.recipe.load import load_text

NOTES = """
from toolkit import hookimpl

class Notes:
    @hookimpl
    def vtk_epoch_end(self, run, metrics):
        run.append("{name}")

plugin = Notes()
"""
NAMES = ("zeta", "alpha", "mid")
QUIET = "checkpoints: false, metrics: false, tensorboard: false, progress: false"


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
@pytest.mark.parametrize("turned", [False, True])
def test_hooks_are_called_in_the_recipes_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: tuple[int, ...], turned: bool
) -> None:
    sites = []
    for name in NAMES:
        (tmp_path / name).mkdir()
        sites.append(Site(tmp_path / name))
        sites[-1].install(
            f"order-{name}",
            extensions={name: f"order_{name}:plugin"},
            modules={f"order_{name}": NOTES.replace("{name}", name)},
        )
    sites[0].install("order-task", tasks={"ordered": "order_task:plugin"}, modules={"order_task": GOOD_TASK})
    for index in order:
        monkeypatch.syspath_prepend(str(sites[index].folder))
    if turned:
        listed = list(metadata.distributions())[::-1]
        monkeypatch.setattr(metadata, "distributions", lambda: iter(listed))
    resolved = load_text(f"task: ordered\nextensions: {{{QUIET}, mid: , zeta: , alpha: }}\n")
    calls: list[str] = []
    manager = build_manager(object(), list(resolved.plugins.values()), resolved.task)
    manager.hook.vtk_epoch_end(run=calls, metrics={})
    assert calls == ["mid", "zeta", "alpha"]
    for name in [*(f"order_{name}" for name in NAMES), "order_task"]:
        sys.modules.pop(name, None)
