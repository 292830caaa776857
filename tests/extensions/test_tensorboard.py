"""Event files as TensorBoard itself reads them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.extensions.tensorboard import Writers, by_split, evenly
from toolkit.run.run import Run

ON = "extensions.tensorboard={points_per_second: null}"


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Every curve of a folder, as TensorBoard shows it."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
    found.Reload()
    curves = {tag: [(e.step, e.value) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]}
    for tag in found.Tags()["tensors"]:
        curves[tag] = [(e.step, e.tensor_proto.float_val[0]) for e in found.Tensors(tag)]
    return curves


def test_epochs_have_the_same_tag_in_train_and_val(train: Callable[..., Run], tmp_path: Path) -> None:
    run = train(ON)
    for split in ("train", "val"):
        curves = scalars(tmp_path / "tensorboard" / split)
        for name in ("loss", "mae"):
            expected = [(row["step"], pytest.approx(row[f"{split}/{name}"], rel=1e-6)) for row in run.history]
            assert curves[name] == expected


def test_every_step_is_written_if_asked(train: Callable[..., Run], tmp_path: Path) -> None:
    train(ON, "train.clip_norm=1")
    curves = scalars(tmp_path / "tensorboard" / "train")
    assert {"step/loss", "step/lr", "step/grad_norm"} <= set(curves)
    for name in ("step/loss", "step/grad_norm"):
        assert [step for step, _ in curves[name]] == list(range(1, 17))
    assert all(value == pytest.approx(1e-3) for _, value in curves["step/lr"])


def test_fast_steps_are_thinned(train: Callable[..., Run], tmp_path: Path) -> None:
    train("extensions.tensorboard={points_per_second: 1}", "data.count=800", "train.epochs=1")
    steps = [step for step, _ in scalars(tmp_path / "tensorboard" / "train")["step/loss"]]
    assert 1 <= len(steps) < 20
    assert steps[-1] == 100


def test_a_resumed_run_forgets_what_came_after_the_checkpoint(tmp_path: Path) -> None:
    first = Writers(tmp_path, None)
    for step in range(1, 11):
        first.add("train", step, {"step/loss": 1.0})
    first.close()
    second = Writers(tmp_path, purge_after=5)
    for step in range(6, 9):
        second.add("train", step, {"step/loss": 2.0})
    second.close()
    assert scalars(tmp_path / "train")["step/loss"] == [(i, 1.0) for i in range(1, 6)] + [(i, 2.0) for i in (6, 7, 8)]


def test_files_are_closed_when_training_fails(make_run: Callable[..., Run], tmp_path: Path) -> None:
    run = make_run(ON, "data.poison_at=20", "loader.shuffle=false")
    with pytest.raises(Exception, match="nan"):
        run.hook.vtk_fit(run=run)
    assert list((tmp_path / "tensorboard").rglob("events*")) == [] or scalars(tmp_path / "tensorboard" / "train")


def test_names_without_a_split_belong_to_training() -> None:
    assert by_split({"train/loss": 1.0, "val/loss": 2.0, "lr": 3.0}) == {
        "train": {"loss": 1.0, "lr": 3.0},
        "val": {"loss": 2.0},
    }


@given(st.integers(0, 500), st.integers(1, 60))
def test_thinning_is_even_and_keeps_the_last(count: int, limit: int) -> None:
    records = [{"step": float(i)} for i in range(count)]
    steps = [int(record["step"]) for record in evenly(records, limit)]
    assert len(steps) == min(count, limit)
    assert steps[-1:] == [count - 1][: len(steps)]
    gaps = [b - a for a, b in itertools.pairwise(steps)]
    assert not gaps or max(gaps) - min(gaps) <= 1
