"""Early stopping against a plain definition of it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toolkit.errors import ExitCode, VtkError
from toolkit.extensions.early_stopping import extension, improves
from toolkit.run.run import Run


def stops_at(values: list[float], patience: int, min_delta: float, higher: bool) -> int | None:
    """The validation after which a run ends: ``patience`` in a row that did not improve on the best before them."""
    best, waited = None, 0
    for number, value in enumerate(values, start=1):
        better = best is None or (value - best > min_delta if higher else best - value > min_delta)
        if better and not math.isnan(value):
            best, waited = value, 0
        else:
            waited += 1
        if waited == patience:
            return number
    return None


def feed(run: Run, values: list[float], metric: str = "val/loss") -> int | None:
    """Let the run hear of its epochs; returns the one after which it wants to stop."""
    for number, value in enumerate(values, start=1):
        run.hook.vtk_epoch_end(run=run, metrics={metric: value})
        if run.stopping:
            return number
    return None


def begin(run: Run) -> Run:
    """Let the extension set itself up as at the start of training, without training."""
    next(extension.vtk_fit(run))
    run.stage = run.stages[0]
    return run


@pytest.fixture
def ready(make_run: Callable[..., Run]) -> Callable[..., Run]:
    """A run in its first stage, with early stopping on; nothing is trained."""

    def make(options: str) -> Run:
        run = make_run(f"extensions.early_stopping={{{options}}}")
        return begin(run)

    return make


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(st.one_of(st.integers(0, 6).map(float), st.just(math.nan)), max_size=20),
    patience=st.integers(1, 4),
    min_delta=st.sampled_from([0.0, 1.0, 2.0]),
    higher=st.booleans(),
)
def test_it_stops_when_the_definition_says(
    ready: Callable[..., Run], values: list[float], patience: int, min_delta: float, higher: bool
) -> None:
    mode = "max" if higher else "min"
    run = ready(f"metric: val/loss, mode: {mode}, patience: {patience}, min_delta: {min_delta}")
    assert feed(run, values) == stops_at(values, patience, min_delta, higher)


def test_a_training_run_ends_and_says_why(train: Callable[..., Run]) -> None:
    run = train("extensions.early_stopping={min_delta: 1000, patience: 2}", "train.epochs=50")
    assert run.epoch == 3
    first = run.history[0]["val/mae"]
    assert run.stop_reason == f"early stopping: val/mae has not improved on {first:.4g} for 2 validations"


def test_auto_watches_what_chooses_the_best_weights(ready: Callable[..., Run]) -> None:
    assert feed(ready("patience: 1"), [3.0, 2.0, 4.0], "val/mae") == 3


def test_patience_survives_a_resume(ready: Callable[..., Run]) -> None:
    before = ready("metric: val/loss, patience: 3")
    assert feed(before, [1.0, 2.0, 2.0]) is None
    after = ready("metric: val/loss, patience: 3")
    after.state.update(copy.deepcopy(before.state))
    assert feed(after, [2.0]) == 1


def test_a_new_stage_has_new_patience(make_run: Callable[..., Run]) -> None:
    text = (
        "task: toy\nstages: [{epochs: 2}, {epochs: 2}]\nextensions: {early_stopping: {metric: val/loss, patience: 2}}\n"
    )
    run = begin(make_run(text=text))
    assert feed(run, [1.0, 2.0]) is None
    run.stage = run.stages[1]
    assert feed(run, [2.0]) is None
    assert feed(run, [2.0]) == 1


def test_epochs_without_validation_do_not_count(ready: Callable[..., Run]) -> None:
    run = ready("metric: val/loss, patience: 1")
    feed(run, [1.0])
    for _ in range(5):
        run.hook.vtk_epoch_end(run=run, metrics={"train/loss": 1.0})
    assert not run.stopping


def test_a_misspelt_metric_costs_no_training(make_run: Callable[..., Run]) -> None:
    run = make_run("extensions.early_stopping={metric: val/los}")
    with pytest.raises(VtkError) as caught:
        run.hook.vtk_fit(run=run)
    assert caught.value.code is ExitCode.RECIPE
    assert "'val/los'" in caught.value.message
    assert "val/loss" in str(caught.value.hint)
    assert run.step == 0


def test_a_nan_is_never_an_improvement() -> None:
    assert not improves(math.nan, None, True, 0.0)
    assert not improves(math.nan, 1.0, False, 0.0)


@pytest.mark.parametrize(
    ("options", "epochs", "told"),
    [("patience: 3", 3, True), ("patience: 3", 4, False), ("patience: 9", 1, True), ("min_delta: 0.1", 1, False)],
)
def test_patience_that_the_run_is_too_short_for_is_told(
    make_run: Callable[..., Run], options: str, epochs: int, told: bool
) -> None:
    run = make_run(f"extensions.early_stopping={{{options}}}", f"train.epochs={epochs}")
    begin(run)
    said = run.console.file.getvalue()  # type: ignore[attr-defined]
    assert ("the run never stops early" in said) == told
