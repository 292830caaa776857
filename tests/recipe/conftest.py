"""A sample task and two extensions, found by the real discovery, and a folder to write recipes into."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from plugin_site import Site

from toolkit.recipe.load import load_recipe
from toolkit.recipe.problems import RecipeError
from toolkit.recipe.resolved import ResolvedRecipe


@pytest.fixture(scope="module")
def sample_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The distribution ``sample`` with the task ``sample`` and the extensions ``counter`` and ``plain``."""
    site = Site(tmp_path_factory.mktemp("site"))
    site.install(
        "sample",
        tasks={"sample": "sample_task:plugin"},
        extensions={"counter": "sample_task:counter", "plain": "sample_task:plain"},
    )
    with site.active():
        yield site


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def write(folder: Path) -> Callable[[str, str], Path]:
    """Writes a file into the folder."""

    def write_file(name: str, text: str) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8"))
        return path

    return write_file


@pytest.fixture
def load(sample_site: Site, write: Callable[[str, str], Path]) -> Callable[..., ResolvedRecipe]:
    """Writes ``text`` to ``a.yaml``, with the sample task on top, and loads it."""

    def load_text(text: str = "", **options: Any) -> ResolvedRecipe:
        if not text.startswith("task:"):
            text = f"task: sample\n{text}"
        write("a.yaml", text)
        return load_recipe("a.yaml", **options)

    return load_text


@pytest.fixture
def problems(load: Callable[..., ResolvedRecipe]) -> Callable[..., list[str]]:
    """The problems of a recipe that must not load, as the user reads them."""

    def find(text: str = "", **options: Any) -> list[str]:
        with pytest.raises(RecipeError) as caught:
            load(text, **options)
        assert all(str(problem) in str(caught.value) for problem in caught.value.problems[:20])
        return [str(problem) for problem in caught.value.problems]

    return find
