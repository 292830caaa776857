"""The order of hook calls is the recipe's, however the file system lists what is installed."""

from __future__ import annotations

import importlib
import os
import sys
from importlib import metadata
from pathlib import Path

import pytest
from plugin_site import GOOD_TASK, Site

from toolkit.hooks.catalogue import Catalogue
from toolkit.hooks.lint import hook_names
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


def forget_listings() -> None:
    """What the standard library remembers of folders; before Python 3.12 ``invalidate_caches`` does not reach it."""
    importlib.invalidate_caches()
    metadata.FastPath.__new__.cache_clear()  # type: ignore[attr-defined]


def listed_as(folders: list[Path], backwards: bool, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Put folders on ``sys.path``, listed from A to Z or from Z to A; the distributions as they are then found."""
    own, wanted = os.listdir, {str(folder) for folder in folders}

    def listdir(path: object = ".") -> list[str]:
        names = own(path)  # type: ignore[call-overload]
        return sorted(names, reverse=backwards) if str(path) in wanted else names

    monkeypatch.setattr(os, "listdir", listdir)
    monkeypatch.setattr(sys, "path", [*map(str, folders), *sys.path])
    forget_listings()
    return [name for found in metadata.distributions() if (name := found.metadata["Name"]).startswith("order-")]


def test_the_order_of_folders_and_of_names_in_a_folder_changes_nothing(tmp_path: Path) -> None:
    """Two folders with two distributions each, one path before the other and the other way round."""
    names, folders = ("zeta", "alpha", "mid", "beta"), [tmp_path / "one", tmp_path / "two"]
    for i, name in enumerate(names):
        folders[i % 2].mkdir(exist_ok=True)
        modules = {f"order_{name}": NOTES.replace("{name}", name)}
        extensions = {name: f"order_{name}:plugin"}
        site = Site(folders[i % 2])
        points = f"[vtk.extensions]\n{name} = {extensions[name]}\n[vtk.recipes]\n{name} = order_{name}.recipes\n"
        site.install(f"order-{name}", entry_points=points, modules=modules)
    Site(folders[0]).install("order-task", tasks={"ordered": "order_task:plugin"}, modules={"order_task": GOOD_TASK})
    raw, asked, listings, calls = set(), [], [], []
    for turned in (folders, folders[::-1]):
        for backwards in (False, True):
            with pytest.MonkeyPatch.context() as patch:
                raw.add(tuple(listed_as(turned, backwards, patch)))
                listings.append((Catalogue(disabled=()).plugins, Catalogue(disabled=()).recipe_folders))
                resolved = load_text(f"task: ordered\nextensions: {{{QUIET}, mid: , zeta: , beta: , alpha: }}\n")
                manager = build_manager(object(), list(resolved.plugins.values()), resolved.task)
                hooks = [getattr(manager.hook, hook).get_hookimpls() for hook in hook_names()]
                asked.append([[each.plugin_name for each in implementations] for implementations in hooks])
                calls.append([])
                manager.hook.vtk_epoch_end(run=calls[-1], metrics={})
            forget_listings()
    assert len(raw) == 4  # the file system does list them in four orders
    assert calls == [["mid", "zeta", "beta", "alpha"]] * 4
    assert asked == asked[:1] * 4
    assert listings == listings[:1] * 4
    assert [folder.name for folder in listings[0][1]] == sorted(names)
    for name in [*(f"order_{name}" for name in names), "order_task"]:
        sys.modules.pop(name, None)
