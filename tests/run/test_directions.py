"""The direction of a metric is known before training, and a wrong name is found there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torchmetrics import MeanAbsoluteError

from toolkit.errors import ExitCode, VtkError
from toolkit.run.directions import metric_directions
from toolkit.run.loop import enter_stage
from toolkit.run.run import Run

MakeRun = Callable[..., Run]


@pytest.mark.parametrize(("metric", "more", "mode"), [("val/mae", False, "min"), ("val/mae", True, "max")])
def test_a_plateau_follows_its_metrics_own_direction(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, metric: str, more: bool, mode: str
) -> None:
    monkeypatch.setattr(MeanAbsoluteError, "higher_is_better", more)
    run = make_run(f"schedule={{name: plateau, metric: {metric}}}")
    enter_stage(run, run.stages[0])
    assert (run.scheduler.mode, run.schedule_metric) == (mode, metric)


@pytest.mark.parametrize(
    "wrong", ["schedule={name: plateau, metric: val/acuracy}", "train.best=val/acuracy", "train.best=accuracy"]
)
def test_a_misspelt_metric_is_found_before_training(make_run: MakeRun, wrong: str) -> None:
    with pytest.raises(VtkError, match="there is no metric") as error:
        make_run(wrong)
    assert error.value.code is ExitCode.RECIPE


@pytest.mark.parametrize(
    ("sets", "key"),
    [
        (["train.best=val/mae"], "train.best_mode"),
        (["schedule={name: plateau, metric: val/mae}", "train.best=last"], "schedule.mode"),
    ],
)
def test_an_unknown_direction_is_asked_for(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, sets: list[str], key: str
) -> None:
    monkeypatch.setattr(MeanAbsoluteError, "higher_is_better", None)
    with pytest.raises(VtkError, match="nobody says whether more or less") as error:
        make_run(*sets)
    assert key in str(error.value.hint)
    run = make_run(*sets, f"{key}=max")
    assert metric_directions(run)["val/mae"] is None


def test_stages_that_a_stop_leaves_out_are_named(make_run: MakeRun) -> None:
    from toolkit.run.loop import fit

    text = "train: {batch_size: 8}\nstages: [{name: head, epochs: 1}, {name: whole, epochs: 1}]\n"
    run = make_run(
        text=text + "extensions: {checkpoints: false, metrics: false, tensorboard: false, progress: false}\n"
    )
    run.stop("enough")
    fit(run)
    assert "not trained: 'whole' (enough)" in run.console.file.getvalue()  # type: ignore[attr-defined]
