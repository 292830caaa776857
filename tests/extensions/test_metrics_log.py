"""metrics.jsonl and steps.jsonl."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from toolkit.errors import ExitCode, VtkError
from toolkit.extensions.metrics_log import JsonLines
from toolkit.run.run import Run

ON = "extensions.metrics={steps: true}"


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The file's rows, read as strict JSON."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return [json.loads(line, parse_constant=refuse) for line in path.read_text().splitlines()]


def test_one_row_for_each_epoch(train: Callable[..., Run], tmp_path: Path) -> None:
    run = train(ON)
    assert rows_of(tmp_path / "metrics.jsonl") == [
        {"epoch": row["epoch"], "step": row["step"], "stage": "train", **row} for row in run.history
    ]


def test_one_row_for_each_step_if_asked(train: Callable[..., Run], tmp_path: Path) -> None:
    run = train(ON)
    rows = rows_of(tmp_path / "steps.jsonl")
    assert [row["step"] for row in rows] == list(range(1, 17))
    assert sum(row["loss"] for row in rows[:8]) / 8 == pytest.approx(run.history[0]["train/loss"])


def test_no_step_rows_by_default(train: Callable[..., Run], tmp_path: Path) -> None:
    train("extensions.metrics=true")
    assert (tmp_path / "metrics.jsonl").exists()
    assert not (tmp_path / "steps.jsonl").exists()


def test_resuming_cuts_what_lies_beyond_the_checkpoint(make_run: Callable[..., Run], tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    file.write_text("".join(f'{{"epoch": {i}, "val/loss": 0.5}}\n' for i in (1, 2, 3)) + '{"epoch": 4, "va')
    run = make_run(ON)
    run.position.epoch, run.resumed = 2, True
    run.position.stage_epoch, run.position.stage_step = 1, 8
    run.hook.vtk_fit(run=run)
    rows = rows_of(file)
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert rows[2]["val/loss"] != 0.5


def test_what_is_not_finite_becomes_null(tmp_path: Path) -> None:
    file = JsonLines(tmp_path / "a.jsonl", "epoch", 0)
    file.append([{"epoch": 1, "a": math.nan, "b": math.inf, "c": 1.5}], sync=True)
    file.close()
    assert rows_of(tmp_path / "a.jsonl") == [{"epoch": 1, "a": None, "b": None, "c": 1.5}]


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(VtkError) as caught:
        JsonLines(tmp_path / "gone" / "a.jsonl", "epoch", 0)
    assert caught.value.place == str(tmp_path / "gone" / "a.jsonl")
    assert caught.value.code in {ExitCode.IO, ExitCode.CANNOT_CREATE}
