"""Runs of the toy task with the extensions under test."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from toolkit.hooks.catalogue import Catalogue, Plugin
from toolkit.recipe.load import load_text
from toolkit.run.run import Run
from toolkit.run.setup import prepare

RECIPE = """
task: toy
train: {epochs: 2, batch_size: 8}
loader: {workers: 0}
extensions: {checkpoints: false, metrics: false, tensorboard: false, progress: false}
"""


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Run]:
    """A toy run that is ready to train; ``sets`` are ``key=value``."""
    toy = Plugin("toy", "task", "toy_task:plugin", "toy", "1.0", "least squares")
    catalogue = Catalogue([*Catalogue().plugins, toy])

    def make(*sets: str, text: str = RECIPE, console: Console | None = None, directory: Path = tmp_path) -> Run:
        resolved = load_text(text, name="toy", sets=sets, catalogue=catalogue)
        return prepare(resolved, console=console or Console(file=io.StringIO(), width=200), directory=directory)

    return make


@pytest.fixture
def train(make_run: Callable[..., Run]) -> Callable[..., Run]:
    """A toy run that has trained."""

    def run_it(*sets: str, **kwargs: Any) -> Run:
        run = make_run(*sets, **kwargs)
        run.hook.vtk_fit(run=run)
        return run

    return run_it


@pytest.fixture
def said() -> Callable[[Run], list[str]]:
    """What a run has said, line by line."""

    def lines(run: Run) -> list[str]:
        file: Any = run.console.file
        return str(file.getvalue()).splitlines()

    return lines
