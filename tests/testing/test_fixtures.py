"""The fixtures that plugins' tests may ask for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from good_task import RECIPE, Good
from plugin_site import GOOD_TASK, Site

from toolkit.hooks.catalogue import Catalogue
from toolkit.hooks.entry import DISABLE
from toolkit.testing import entry_of, only

pytest_plugins = ["toolkit.testing.fixtures"]


@pytest.fixture
def crowded(tmp_path: Path) -> Any:
    """A machine on which another task is installed."""
    folder = tmp_path / "site"
    folder.mkdir()
    with Site(folder).active() as site:
        site.install("vtk-other", tasks={"other": "other_task:plugin"}, modules={"other_task": GOOD_TASK})
        yield site


def names() -> set[str]:
    return {p.name for p in Catalogue().plugins if p.kind == "task"}


def test_nothing_else_is_installed_for_the_rest_of_a_test(
    crowded: Site, monkeypatch: pytest.MonkeyPatch, only_plugins: Callable[..., Catalogue], vtk: Callable[..., Any]
) -> None:
    monkeypatch.setenv(DISABLE, "good")
    assert "other" in names()
    only_plugins(task={"good": Good()})
    assert names() == {"classification", "multilabel", "style", "good"}
    said = vtk("plugins")
    assert said.code == 0
    assert "good" in said.out
    assert "other" not in said.out


def test_what_is_installed_is_back_afterwards(crowded: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DISABLE, "nothing")
    with pytest.raises(ZeroDivisionError), only(entry_of(Good(), "task", "good")):
        raise ZeroDivisionError
    assert "other" in names()
    assert "good" not in names()
    assert Catalogue().disabled == {"nothing"}


def test_commands_run_in_this_process(
    only_plugins: Callable[..., Catalogue], vtk: Callable[..., Any], run_recipe: Callable[..., Any], tmp_path: Path
) -> None:
    only_plugins(task={"good": Good()})
    outcome = run_recipe(RECIPE, "train.epochs=1")
    assert outcome.epochs == 1
    assert outcome.directory.parent == tmp_path
    (tmp_path / "a.txt").write_text("1 2 3 4")
    said = vtk("predict", outcome.directory, "a.txt")
    assert (said.code, said.err) == (0, "")
    assert "value" in said.out
    assert vtk("run", "nothing.yaml").code == 66


def test_a_plugin_is_known_by_its_name_its_place_and_its_object() -> None:
    from toolkit.extensions.ema import extension

    given = [entry_of(plugin, "extension") for plugin in ("ema", "toolkit.extensions.ema:extension", extension)]
    assert given == [given[0]] * 3
    assert given[0].builtin
    with pytest.raises(ValueError, match="no task 'ema' is installed"):
        entry_of("ema", "task")
