"""``data.classes`` where images have any number of labels: an image with none of those chosen stays."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from toolkit.cli import main
from toolkit.errors import ExitCode
from toolkit.inference.bundle import Bundle
from toolkit.run.run import Run

RECIPE = """
task: multilabel
data:
  source: {name: csv, file: labels.csv, labels: {name: separated}, split_column: part}
  classes: [sun, sea]
  image_size: 16
  augment: none
model: {name: cnn, channels: [4]}
thresholds: 0.5
train: {epochs: 1, batch_size: 4, precision: fp32}
loader: {workers: 0}
extensions: {tensorboard: false, progress: false}
"""
ROWS = [("sea|sun", "train"), ("sea|ice", "train"), ("ice", "train"), ("", "train"), ("sun|elk", "val"), ("elk", "val")]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A table of six pictures; validation has a label, elk, that training has not."""
    monkeypatch.chdir(tmp_path)
    for number in range(len(ROWS)):
        pixels = np.random.default_rng(number).integers(0, 256, (20, 20, 3), dtype=np.uint8)
        cv2.imwrite(f"{number}.png", pixels)
    lines = [f"{number}.png,{labels},{part}" for number, (labels, part) in enumerate(ROWS)]
    (tmp_path / "labels.csv").write_text("\n".join(["path,labels,part", *lines]))
    (tmp_path / "mine.yaml").write_text(RECIPE)
    return tmp_path


def test_check_and_run_see_the_same(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "mine.yaml", "--report", "--json"]) == ExitCode.OK
    plan = json.loads(capfd.readouterr().out)
    assert plan["data"]["classes"] == {"sun": {"train": 1, "val": 1}, "sea": {"train": 2, "val": 0}}
    assert plan["data"]["images without labels"] == {"train": 2, "val": 1}
    assert plan["data"]["left aside by data.classes"] == {"ice": 2, "elk": 2}
    assert plan["report"]["pictures"] == 6
    assert plan["report"]["classes"] == {"sun": {"train": 1, "val": 1}, "sea": {"train": 2, "val": 0}}
    assert main(["run", "mine.yaml", "--out", "run"]) == ExitCode.OK
    assert "'ice' (2), 'elk' (2)" in capfd.readouterr().err
    assert Bundle.load(here / "run").meta["classes"] == ["sun", "sea"]
    assert main(["eval", "run", "--labels", "labels.csv", "--json"]) == ExitCode.OK
    said = capfd.readouterr()
    assert "'ice' (2), 'elk' (2)" in said.err


def test_without_it_a_label_that_training_has_not_is_an_error(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "mine.yaml", "--set", "data.classes=null"]) == ExitCode.DATA
    assert "the val split has the label 'elk', which training has not" in capfd.readouterr().err


def test_an_unknown_label_is_told_at_its_place(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (here / "mine.yaml").write_text(RECIPE.replace("[sun, sea]", "[sun, see]"))
    assert main(["check", "mine.yaml"]) == ExitCode.RECIPE
    said = capfd.readouterr().err
    assert "mine.yaml:5:18: data.classes.1: the data have no class 'see'; did you mean 'sea'?" in said


def test_targets_are_in_the_order_chosen(make_run: Callable[..., Run]) -> None:
    everything, some = make_run().data, make_run("data.classes=['7', '1']").data
    whole = np.stack([np.asarray(everything.train[i][1]) for i in range(len(everything.train))])
    part = np.stack([np.asarray(some.train[i][1]) for i in range(len(some.train))])
    assert np.array_equal(part, whole[:, [7, 1]])
