"""The built-in tasks keep the promises that third parties' tasks are held to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from toolkit.testing import TASK_CHECKS, check_task

NETWORK = {"name": "cnn", "channels": [4, 8], "hidden": [8], "dropout": 0.1}
TRAINING = {"train": {"epochs": 2, "batch_size": 8}, "loader": {"workers": 0}}
PICTURES = {"image_size": 16, "split": {"val": 0.25}}


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Twenty-four pictures, bright or dark, in two folders, and a CSV of the same."""
    rng = np.random.default_rng(0)
    lines = ["path,labels"]
    for number in range(24):
        name = ("dark", "bright")[number % 2]
        path = tmp_path / "pictures" / name / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), rng.integers(0, 120, (20, 24, 3)).astype(np.uint8) + np.uint8(120 * (number % 2)))
        lines.append(f"pictures/{name}/{number}.png,{name}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    return tmp_path


def its_files(split: Any, _folder: Path) -> list[Path]:
    """The evaluated pictures are files already."""
    return [Path(path) for path in split.paths]


@pytest.mark.slow
def test_classification(pictures: Path) -> None:
    source = {"name": "folder", "root": pictures / "pictures"}
    augment = [{"name": "HorizontalFlip"}, {"name": "Rotate", "limit": 10}]
    recipe = {"task": "classification", "data": {"source": source, "augment": augment, **PICTURES}, "model": NETWORK}
    report = check_task("classification", recipe | TRAINING, files=its_files, strict=True)
    assert report.passed == list(TASK_CHECKS)


def test_multilabel(pictures: Path) -> None:
    source = {"name": "csv", "file": pictures / "labels.csv", "root": pictures, "labels": {"name": "separated"}}
    recipe = {"task": "multilabel", "data": {"source": source, "augment": "none", **PICTURES}, "model": NETWORK}
    report = check_task("multilabel", recipe | TRAINING, files=its_files, strict=True)
    assert report.passed == list(TASK_CHECKS)


@pytest.mark.slow
def test_style(pictures: Path) -> None:
    content, style = (next((pictures / "pictures" / name).iterdir()) for name in ("dark", "bright"))
    recipe = {
        "task": "style",
        "data": {"content": str(content), "styles": [str(style)]},
        "model": {"weights": "random", "style_layers": ["relu_1"], "content_layers": ["relu_2"]},
        "pyramid": {"size": 24, "steps": 8, "levels": 2},
    }
    absent = ["data.content=nowhere.jpg", "data.styles=[nowhere.jpg]"]
    report = check_task("style", recipe, missing=absent)
    assert set(report.left_out) == {"bundle", "predict"}
