"""``vtk check --report`` on images with any number of labels."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from toolkit.cli import main
from toolkit.errors import ExitCode

RECIPE = """
task: multilabel
data:
  source: {name: csv, file: labels.csv, labels: {name: separated}}
  split: {val: 0}
  image_size: 24
model: {name: cnn, channels: [8], hidden: [8]}
thresholds: 0.5
train: {epochs: 1, best: last}
"""


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[list[str]], None]:
    """Writes labels.csv, and one picture for each line that names none yet."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(RECIPE)

    def write(lines: list[str]) -> None:
        (tmp_path / "labels.csv").write_text("\n".join(["path,labels", *lines]))

    import cv2
    import numpy as np

    for number in range(12):
        coarse = np.random.default_rng(number).integers(0, 256, (5, 6, 3), dtype=np.uint8)
        Image.fromarray(cv2.resize(coarse, (60, 50), interpolation=cv2.INTER_CUBIC)).save(tmp_path / f"{number}.png")
    return write


def test_labels_are_compared_as_sets(table: Callable, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    lines = [f"{number}.png,{'sun|sea' if number % 2 else 'sea|sun'}" for number in range(10)]
    (tmp_path / "same.png").write_bytes((tmp_path / "3.png").read_bytes())
    (tmp_path / "other.png").write_bytes((tmp_path / "4.png").read_bytes())
    table([*lines, "same.png,sea|sun", "other.png,sea", "10.png,", "11.png,sun", "gone.png,sun"])
    code = main(["check", "mine.yaml", "--report", "--json"])
    report = json.loads(capfd.readouterr().out)["report"]
    cases = {fault["kind"]: [case["files"] for case in fault["cases"]] for fault in report["faults"]}
    assert code == ExitCode.DATA  # copies with two labels are errors, too
    assert cases == {
        "missing-file": [["gone.png"]],
        "copy-with-two-labels": [["4.png", "other.png"]],
        "copy-in-split": [["3.png", "same.png"]],
    }
    assert report["classes"] == {"sea": {"train": 12}, "sun": {"train": 12}}


def test_scenes_in_memory(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    scenes = "{name: digit_scenes, size: 24, train: 96, val: 24, test: 24}"
    recipe = tmp_path / "scenes.yaml"
    recipe.write_text(RECIPE.replace("{name: csv, file: labels.csv, labels: {name: separated}}", scenes))
    assert main(["check", str(recipe), "--report", "--json", "--html", str(tmp_path / "page.html")]) == ExitCode.OK
    report = json.loads(capfd.readouterr().out)["report"]
    assert report["splits"] == {"train": 96, "val": 24, "test": 24}
    assert report["in_memory"]
    assert "What the model sees" in (tmp_path / "page.html").read_text()
