"""pytest fixtures for plugins. Nothing happens until a test asks for one.

# conftest.py
pytest_plugins = ["toolkit.testing.fixtures"]
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from toolkit.hooks.entry import Kind, Plugin
from toolkit.testing.isolation import entry_of, only

if TYPE_CHECKING:
    from toolkit.hooks.catalogue import Catalogue
    from toolkit.run.runner import Outcome


@dataclass(frozen=True)
class Said:
    """How a ``vtk`` command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def only_plugins() -> Iterator[Callable[..., Catalogue]]:
    """``only_plugins(task=..., extension=...)``: for the rest of the test, nothing else is installed.

    Each is the object that the entry point names, or its place ``package.module:attribute``; names go by a mapping:
    ``only_plugins(task={"dots": plugin})``. vision-toolkit's own plugins stay.
    """
    with ExitStack() as stack:

        def isolate(*, task: Any = None, extension: Any = None) -> Catalogue:
            return stack.enter_context(only(*_entries(task, "task"), *_entries(extension, "extension")))

        yield isolate


@pytest.fixture
def vtk(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """``vtk("run", recipe, "--out", run)``: the command in this process, in an empty folder, with what it printed."""
    monkeypatch.chdir(tmp_path)

    def call(*args: object) -> Said:
        from toolkit.cli import main

        capfd.readouterr()
        code = main([str(arg) for arg in args])
        out, err = capfd.readouterr()
        return Said(code, out, err)

    return call


@pytest.fixture
def run_recipe(tmp_path: Path) -> Callable[..., Outcome]:
    """``run_recipe(recipe, "train.epochs=1")``: runs a recipe on the CPU and returns its outcome.

    ``recipe`` is a file, a shipped recipe's name, or a mapping. Runs lie below pytest's ``tmp_path``.
    """
    count = iter(range(1000))

    def call(recipe: Any, *sets: str, demo: bool = False) -> Outcome:
        from rich.console import Console

        from toolkit.recipe.load import load_recipe, load_text
        from toolkit.recipe.resolved import dump_yaml
        from toolkit.run.runner import execute

        wanted: dict[str, Any] = {"sets": ["train.device=cpu", *sets], "demo": demo}
        given = isinstance(recipe, dict)
        resolved = load_text(dump_yaml(recipe), **wanted) if given else load_recipe(recipe, **wanted)
        return execute(resolved, console=Console(file=io.StringIO()), out=tmp_path / f"run-{next(count)}")

    return call


def _entries(given: Any, kind: Kind) -> list[Plugin]:
    if given is None:
        return []
    if isinstance(given, dict):
        return [entry_of(plugin, kind, name) for name, plugin in given.items()]
    return [entry_of(given, kind)]
