"""A run that finds its pictures decoded already trains to the same weights as one that does not."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from rich.console import Console

from tests.helpers.opened import opened
from toolkit.cli import main
from toolkit.recipe.load import load_text
from toolkit.run.dry_run import make_plan
from toolkit.run.setup import prepare

RECIPE = """
task: classification
data:
  source: {name: folder, root: %(root)s}
  image_size: 16
  shrink: 20
  cache: %(cache)s
  split: {val: 0.25}
model: {name: cnn, channels: [4], hidden: [8]}
train: {epochs: 2, batch_size: 4, precision: fp32, device: cpu}
extensions: {checkpoints: false, metrics: false, tensorboard: false, progress: false}
"""


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    rng = np.random.default_rng(3)
    for label in ("left", "right"):
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(8):
            cv2.imwrite(
                str(tmp_path / "data" / label / f"{number}.jpg"), rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)
            )
    return tmp_path / "data"


def trained(root: Path, cache: str, directory: Path) -> tuple[dict[str, torch.Tensor], str]:
    directory.mkdir()
    resolved = load_text(RECIPE % {"root": root, "cache": cache}, name="kept")
    run = prepare(resolved, console=Console(file=io.StringIO(), width=300), directory=directory)
    run.hook.vtk_fit(run=run)
    said: Any = run.console.file
    return dict(run.model.state_dict()), said.getvalue()


def test_cold_warm_and_no_cache_train_to_the_same_weights(photographs: Path, tmp_path: Path) -> None:
    disk = f"{{keep: disk, folder: {tmp_path / 'kept'}}}"
    runs = [
        trained(photographs, choice, tmp_path / str(number))
        for number, choice in enumerate(("'off'", disk, disk, "ram", "auto"))
    ]
    first = runs[0][0]
    for weights, _ in runs[1:]:
        assert all(torch.equal(weights[name], value) for name, value in first.items())
    assert "cache:" not in runs[0][1]
    assert "(0.0 MB there" in runs[1][1]
    assert "cache: train images 0.0 MB on disk" in runs[2][1]
    assert "cache: val images 0.0 MB in memory" in runs[3][1]
    assert "in memory" in runs[4][1]


def test_a_check_tells_what_would_be_kept_and_keeps_nothing(photographs: Path, tmp_path: Path) -> None:
    disk = f"{{keep: disk, folder: {tmp_path / 'kept'}}}"
    resolved = load_text(RECIPE % {"root": photographs, "cache": disk}, name="kept")
    plan = make_plan(resolved, console=Console(file=io.StringIO()), trial=True)
    assert plan.problem is None
    assert set(plan.data["cache"]) == {"train", "val"}
    assert plan.trial is not None
    assert not (tmp_path / "kept").exists()


def evaluated(directory: Path, photographs: Path, *words: str) -> tuple[dict[str, float], str, int]:
    """Metrics of ``vtk eval``, what it says on stderr, and how many pictures it opens."""
    out, said = io.StringIO(), io.StringIO()
    with opened(photographs) as counts, contextlib.redirect_stderr(said), contextlib.redirect_stdout(out):
        assert main(["eval", str(directory), "--json", *words]) == 0
    metrics: dict[str, float] = json.loads(out.getvalue())["metrics"]
    return metrics, said.getvalue(), sum(number for path, number in counts.items() if path.endswith(".jpg"))


@pytest.mark.parametrize("other_data", [False, True])
def test_evaluating_twice_decodes_once(photographs: Path, tmp_path: Path, other_data: bool) -> None:
    (tmp_path / "r.yaml").write_text(
        RECIPE % {"root": photographs, "cache": f"{{keep: disk, folder: {tmp_path / 'kept'}}}"}
        + "loader: {workers: 0}\n"
    )
    assert main(["run", str(tmp_path / "r.yaml"), "--out", str(tmp_path / "run"), "-q"]) == 0
    shutil.rmtree(tmp_path / "kept")
    words = ["--images", str(photographs)] if other_data else []
    first, said, decoded = evaluated(tmp_path / "run", photographs, *words)
    again, _, none = evaluated(tmp_path / "run", photographs, *words)
    assert (decoded, none) == (16 if other_data else 4, 0)
    assert first == again
    # Training images are not evaluated, and take no room.
    assert "train images" not in said
    assert f"cache: {'test' if other_data else 'val'} images" in said


def test_memory_is_not_filled_with_what_is_read_once(photographs: Path, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(RECIPE % {"root": photographs, "cache": "ram"} + "loader: {workers: 0}\n")
    assert main(["run", str(tmp_path / "r.yaml"), "--out", str(tmp_path / "run"), "-q"]) == 0
    _, said, _ = evaluated(tmp_path / "run", photographs)
    assert "cache:" not in said
