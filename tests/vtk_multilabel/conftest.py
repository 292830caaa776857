"""Small runs of the task."""

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
from toolkit.run.run import Run
from toolkit.run.setup import prepare

SCENES = """
task: multilabel
data:
  source: {name: digit_scenes, size: 24, train: 96, val: 48, test: 48}
  image_size: 24
  grey: true
  augment: none
model: {name: cnn, channels: [8, 16], hidden: [16]}
train: {epochs: 2, batch_size: 32}
extensions: {checkpoints: false, metrics: false, tensorboard: false, progress: false}
"""

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (40, 60, 230)}


@pytest.fixture
def console() -> Console:
    """A console whose ``file.getvalue()`` is what was said."""
    return Console(file=io.StringIO(), width=200)


@pytest.fixture
def make_run(console: Console) -> Callable[..., Run]:
    """A run that is ready to train; ``sets`` are ``key=value``."""

    def make(*sets: str, text: str = SCENES, directory: Path | None = None) -> Run:
        return prepare(load_text(text, name="small", sets=sets), console=console, directory=directory)

    return make


@pytest.fixture(scope="module")
def colour_folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, set[str]]]:
    """Sixty pictures with patches of up to three colours on grey, and a CSV of which; a few have none."""
    folder, rng = tmp_path_factory.mktemp("colours"), np.random.default_rng(0)
    labels: dict[str, set[str]] = {}
    for number in range(60):
        picture = np.full((32, 40, 3), 128, np.uint8)
        picture[0, 0] = 2 * number  # no picture is another's copy, which would have to stay with it
        chosen = {name for name in COLOURS if rng.random() < 0.5}
        for place, name in enumerate(COLOURS):
            if name in chosen:
                picture[8:24, 3 + 12 * place : 13 + 12 * place] = COLOURS[name]
        labels[f"{number}.png"] = chosen
        cv2.imwrite(str(folder / f"{number}.png"), picture[..., ::-1])
    lines = ["path,labels", *(f"{path},{'|'.join(sorted(chosen))}" for path, chosen in labels.items())]
    (folder / "labels.csv").write_text("\n".join(lines))
    return folder, labels


@pytest.fixture(scope="module")
def colour_text(colour_folder: tuple[Path, dict[str, set[str]]]) -> str:
    """A recipe for those pictures."""
    folder, _ = colour_folder
    return f"""
task: multilabel
data:
  source: {{name: csv, file: {folder / "labels.csv"}, labels: {{name: separated}}}}
  image_size: 16
  resize: squeeze
  augment: none
  split: {{val: 0.25}}
model: {{name: cnn, channels: [8, 16], hidden: [16]}}
train: {{epochs: 20, batch_size: 16}}
loader: {{workers: 0}}
optimizer: {{name: adam, lr: 0.01}}
extensions: {{checkpoints: false, metrics: false, tensorboard: false, progress: false}}
"""


@pytest.fixture
def any_json() -> Callable[[Any], Any]:
    """A value after a trip through JSON."""
    import json

    return lambda value: json.loads(json.dumps(value))
