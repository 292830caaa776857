"""The pace against runs whose speed is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from toolkit.extensions.pace import Pace
from toolkit.run.run import Run
from toolkit.system.progress import clock


@pytest.fixture
def run(make_run: Callable[..., Run]) -> Run:
    """In training: one stage of 10 epochs of 100 steps."""
    run = make_run("train.epochs=10")
    run.stage = replace(run.stages[0], batches=100)
    run.phase = "train"
    return run


def walk(pace: Pace, run: Run, start: float, seconds: float, step_seconds: float, every: float = 0.25) -> float:
    """Let ``run`` train for some time, looked at every so often; returns the time then."""
    first, now = run.position.step, start
    while now < start + seconds:
        now += every
        taken = int((now - start) / step_seconds + 1e-9)
        run.position.step = run.position.stage_step = first + taken
        pace.look(run, now)
    return now


def test_a_constant_speed_is_found(run: Run) -> None:
    pace = Pace()
    walk(pace, run, 0.0, seconds=5, step_seconds=0.05)
    assert pace.steps_per_second == pytest.approx(20, rel=0.05)


def test_nothing_is_claimed_before_a_step_was_seen(run: Run) -> None:
    pace = Pace()
    pace.look(run, 0.0)
    pace.look(run, 1.0)
    assert pace.steps_per_second is None
    assert pace.seconds_left(run) is None


def test_a_change_of_speed_is_followed_within_ten_seconds(run: Run) -> None:
    pace = Pace()
    now = walk(pace, run, 0.0, seconds=20, step_seconds=0.05)
    walk(pace, run, now, seconds=11, step_seconds=0.5)
    assert pace.steps_per_second == pytest.approx(2, rel=0.1)


def test_steps_longer_than_the_window_have_a_speed(run: Run) -> None:
    pace = Pace()
    walk(pace, run, 0.0, seconds=100, step_seconds=20)
    assert pace.steps_per_second == pytest.approx(1 / 20, rel=0.05)


def test_validation_counts_as_time_left_and_not_as_speed(run: Run) -> None:
    pace = Pace()
    now = walk(pace, run, 0.0, seconds=5, step_seconds=0.05)
    run.position.stage_epoch = 1
    run.phase = "val"
    for _ in range(120):
        now += 0.25
        pace.look(run, now)
    run.phase = "train"
    walk(pace, run, now, seconds=5, step_seconds=0.05)
    assert pace.steps_per_second == pytest.approx(20, rel=0.05)
    steps_left, validations_left = 1000 - run.position.stage_step, 9
    assert pace.seconds_left(run) == pytest.approx(steps_left / 20 + validations_left * 30, rel=0.03)


def test_later_stages_count_as_time_left(run: Run) -> None:
    pace = Pace()
    second = replace(run.stage, index=1, epochs=None, steps=400)
    run.stages.append(second)
    walk(pace, run, 0.0, seconds=5, step_seconds=0.05)
    assert pace.seconds_left(run) == pytest.approx((1000 - run.position.stage_step + 400) / 20, rel=0.05)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (42.4, "0:42"), (59.6, "1:00"), (725, "12:05"), (3599.7, "1:00:00"), (11220, "3:07:00")],
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
