"""Fixtures: the toy task and runs of it in this process."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from toolkit.hooks.catalogue import Catalogue, Plugin
from toolkit.recipe.load import load_text
from toolkit.recipe.resolved import ResolvedRecipe
from toolkit.run.run import Run
from toolkit.run.setup import prepare

__all__ = ["QUIET", "catalogue", "console", "make_run", "recipe"]

QUIET = "extensions: {checkpoints: false, metrics: false, tensorboard: false, progress: false}\n"


@pytest.fixture
def catalogue() -> Catalogue:
    """The installed plugins and the toy task."""
    toy = Plugin("toy", "task", "toy_task:plugin", "toy", "1.0", "least squares")
    return Catalogue([*Catalogue().plugins, toy])


@pytest.fixture
def recipe(catalogue: Catalogue) -> Callable[..., ResolvedRecipe]:
    """Resolves a toy recipe; ``sets`` are ``key=value``."""

    def resolve(*sets: str, text: str = "train: {epochs: 2, batch_size: 8}\n" + QUIET) -> ResolvedRecipe:
        return load_text("task: toy\n" + text, name="toy", sets=sets, catalogue=catalogue)

    return resolve


@pytest.fixture
def console() -> Console:
    """A console whose ``file.getvalue()`` is what was said."""
    return Console(file=io.StringIO(), width=200)


@pytest.fixture
def make_run(recipe: Callable[..., ResolvedRecipe], console: Console) -> Callable[..., Run]:
    """A toy run that is ready to train."""

    def make(*sets: str, directory: Path | None = None, **kwargs: Any) -> Run:
        return prepare(recipe(*sets, **kwargs), console=console, directory=directory)

    return make
