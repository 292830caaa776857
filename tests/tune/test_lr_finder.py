"""The range test finds the edge that theory knows: gradient descent on a quadratic falls apart above 2 / curvature."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from toolkit.errors import ExitCode, VtkError
from toolkit.run.run import Run
from toolkit.tune.lr_finder import draw_range_test, find_rate, rising, smoothed, suggested

MakeRun = Callable[..., Run]
SGD = "optimizer={name: sgd, lr: 0.01}"
WHOLE = "train.batch_size=64"


def test_rates_rise_by_the_same_factor() -> None:
    assert rising(1e-4, 1.0, 5) == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1.0])


def test_smoothing_is_the_mean_with_weights_of_nine_tenths() -> None:
    losses = [3.0, 1.0, 4.0]
    weights = [0.81, 0.9, 1.0]
    expected = sum(w * x for w, x in zip(weights, losses, strict=True)) / sum(weights)
    assert smoothed(losses)[-1] == pytest.approx(expected)
    assert smoothed([2.0] * 5) == pytest.approx([2.0] * 5)


def test_suggestions_are_read_from_the_curve() -> None:
    rates = rising(1e-5, 1e1, 61)
    curve = [1 / (1 + math.exp(4 * (math.log10(r) + 2))) + max(0.0, math.log10(r) + 0.5) for r in rates]
    steepest, lowest = suggested(rates, curve)
    assert steepest == pytest.approx(1e-2, rel=0.3)
    assert 0.1 < lowest < 0.5


def test_it_ends_where_the_loss_falls_apart_and_the_suggestions_lie_below(make_run: MakeRun) -> None:
    found = find_rate(make_run(SGD, WHOLE), first=1e-5, last=100.0, steps=100)
    assert found.diverged
    assert len(found.rates) < 100
    assert found.rates == pytest.approx(rising(1e-5, 100.0, 100)[: len(found.rates)])
    assert found.steepest < found.lowest < found.rates[-1]
    assert min(found.smooth) < found.smooth[0]


@pytest.mark.parametrize("rate", ["careful", "steepest"])
def test_training_at_a_suggested_rate_beats_training_far_below(make_run: MakeRun, rate: str) -> None:
    from toolkit.run.loop import fit

    found = find_rate(make_run(SGD, WHOLE), first=1e-5, last=100.0, steps=100)
    losses = []
    for lr in (getattr(found, rate), getattr(found, rate) / 1000):
        run = make_run(f"optimizer={{name: sgd, lr: {lr:.8f}}}", WHOLE, "train.epochs=40")
        fit(run)
        losses.append(run.history[-1]["val/loss"])
    assert losses[0] < 0.5 * losses[1]


def test_a_short_gentle_range_ends_in_order(make_run: MakeRun) -> None:
    found = find_rate(make_run(SGD, WHOLE), first=1e-6, last=1e-4, steps=20)
    assert not found.diverged
    assert len(found.rates) == 20


def test_a_rate_that_breaks_everything_at_once_is_an_error(make_run: MakeRun) -> None:
    with pytest.raises(VtkError, match="too few to read anything from") as caught:
        find_rate(make_run(SGD, WHOLE), first=1e6, last=1e9, steps=50)
    assert caught.value.code == ExitCode.NON_FINITE


def test_the_plot_is_a_picture(make_run: MakeRun, tmp_path: Path) -> None:
    found = find_rate(make_run(SGD, WHOLE), first=1e-5, last=100.0, steps=60)
    draw_range_test(found, tmp_path / "rates.png")
    assert (tmp_path / "rates.png").read_bytes().startswith(b"\x89PNG")
