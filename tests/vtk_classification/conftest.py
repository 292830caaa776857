"""Small data sets on disk, and short runs over them."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rich.console import Console

from toolkit.recipe.load import load_text
from toolkit.recipe.resolved import ResolvedRecipe
from toolkit.run.run import Run
from toolkit.run.setup import prepare

QUIET = "extensions: {checkpoints: false, early_stopping: false, metrics: false, progress: false, tensorboard: false}\n"
PATTERN = r"'(?P<label>cat|dog)\.\d+\.jpg'"


def photo(kind: str, number: int) -> np.ndarray:
    """A noisy picture of its own size, RGB uint8: cats are bright in the middle, dogs at the rim."""
    rng = np.random.default_rng([number, kind == "dog"])
    height, width = rng.integers(40, 70, 2)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    light = np.exp(-3 * (x * x + y * y))
    light = light if kind == "cat" else 1 - light
    noise = rng.normal(0, 12, (height, width, 3))
    return np.clip(200 * light[..., None] + 20 + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def kaggle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty labelled JPEGs in one folder, named as Kaggle names them."""
    folder = tmp_path_factory.mktemp("dogs-vs-cats") / "train"
    folder.mkdir()
    for number in range(20):
        for kind in ("cat", "dog"):
            cv2.imwrite(str(folder / f"{kind}.{number}.jpg"), photo(kind, number)[..., ::-1])
    return folder


@pytest.fixture(scope="session")
def by_class(kaggle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same pictures with a folder for each class, and a hidden folder such as notebooks leave behind."""
    root = tmp_path_factory.mktemp("by-class")
    for kind in ("cat", "dog"):
        (root / kind).mkdir()
        for file in kaggle.glob(f"{kind}.*.jpg"):
            (root / kind / file.name).write_bytes(file.read_bytes())
    (root / ".ipynb_checkpoints").mkdir()
    return root


@pytest.fixture
def console() -> Console:
    """A console whose ``file.getvalue()`` is what was said."""
    return Console(file=io.StringIO(), width=200)


@pytest.fixture
def recipe(kaggle: Path) -> Callable[..., ResolvedRecipe]:
    """A tiny cats-and-dogs recipe; ``sets`` are ``key=value``."""
    text = f"""
task: classification
data:
  source: {{name: pattern, root: {kaggle}, pattern: {PATTERN}}}
  split: {{val: 0.25}}
  image_size: 24
  resize: 28
  augment: none
model: {{name: cnn, channels: [4, 8], hidden: [16]}}
train: {{epochs: 4, batch_size: 8, precision: fp32}}
optimizer: {{lr: 1e-2}}
"""

    def resolve(*sets: str) -> ResolvedRecipe:
        return load_text(text + QUIET, name="tiny", sets=sets)

    return resolve


@pytest.fixture
def make_run(recipe: Callable[..., ResolvedRecipe], console: Console) -> Callable[..., Run]:
    """The tiny recipe as a run that is ready to train."""

    def make(*sets: str, directory: Path | None = None) -> Run:
        return prepare(recipe(*sets), console=console, directory=directory)

    return make


@pytest.fixture(scope="session")
def trained(kaggle: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The directory of a finished tiny run, and its outcome."""
    from toolkit.run.runner import execute

    text = f"""
task: classification
data:
  source: {{name: pattern, root: {kaggle}, pattern: {PATTERN}}}
  split: {{val: 0.25, test: 0.25}}
  image_size: 24
  resize: 28
  augment: light
model: {{name: cnn, channels: [4, 8], hidden: [16], batch_norm: true}}
train: {{epochs: 6, batch_size: 8, precision: fp32}}
optimizer: {{lr: 1e-2}}
"""
    directory = tmp_path_factory.mktemp("runs") / "tiny"
    quiet = Console(file=io.StringIO())
    return directory, execute(load_text(text + QUIET, name="tiny"), console=quiet, out=directory)
