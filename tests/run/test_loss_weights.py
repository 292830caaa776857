"""A loss that is a mean over something else than samples is judged and accumulated as one large batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from toolkit.errors import VtkError
from toolkit.run.loop import fit
from toolkit.run.loss_weights import Shares
from toolkit.run.meters import LossMeter
from toolkit.run.run import Run

MakeRun = Callable[..., Run]
PLAIN = (
    "model.dropout=0.0",
    "optimizer={name: sgd, lr: 0.01}",
    "loader.shuffle=false",
    "data.noise=0.0",
    "train.precision=fp32",
)


def weight_of(targets: Tensor) -> Tensor:
    """Between 0.1 and 5, so that no two batches weigh the same."""
    return targets.abs().clamp(0.1, 5.0)


class Weighted:
    """A weighted mean of squares, as one number or as terms that are means over different things."""

    def __init__(self, terms: bool) -> None:
        self.terms = terms

    def __call__(self, output: Tensor, batch: Any) -> Any:
        weight = weight_of(batch.targets)
        squares = (weight * (output - batch.targets) ** 2).sum() / weight.sum()
        return {"squares": squares, "size": output.abs().mean()} if self.terms else squares

    def batch_weight(self, batch: Any) -> Any:
        total = weight_of(batch.targets).sum()
        return {"squares": total} if self.terms else total


def trained(make_run: MakeRun, terms: bool, *sets: str) -> Run:
    run = make_run(*PLAIN, "train.epochs=2", *sets)
    run.loss = Weighted(terms)
    fit(run)
    return run


def whole(run: Run, dataset: Any) -> float:
    """The loss of all samples as one batch, in double precision."""
    x, y = dataset.x.double(), dataset.y.double()
    with torch.no_grad():
        output, weight = run.model.double()(x), weight_of(y)
    squares = float((weight * (output - y) ** 2).sum() / weight.sum())
    return squares + (float(output.abs().mean()) if run.loss.terms else 0.0)  # type: ignore[attr-defined]


@pytest.mark.parametrize("terms", [False, True])
@pytest.mark.parametrize("size", [1, 3, 7, 20])
def test_a_splits_loss_is_that_of_the_split_as_one_batch(make_run: MakeRun, size: int, terms: bool) -> None:
    run = trained(make_run, terms, f"train.eval_batch_size={size}")
    assert run.history[-1]["val/loss"] == pytest.approx(whole(run, run.data.val), rel=1e-6)


@pytest.mark.parametrize("terms", [False, True])
def test_an_epochs_training_loss_is_that_of_its_samples_as_one_batch(make_run: MakeRun, terms: bool) -> None:
    run = trained(make_run, terms, "optimizer.lr=1e-20", "train.batch_size=7", "train.accumulate=2")
    assert run.history[-1]["train/loss"] == pytest.approx(whole(run, run.data.train), rel=1e-6)


@pytest.mark.parametrize("terms", [False, True])
def test_accumulated_batches_make_the_step_of_the_large_batch(make_run: MakeRun, terms: bool) -> None:
    small = trained(make_run, terms, "train.batch_size=5", "train.accumulate=5", "data.count=60")
    large = trained(make_run, terms, "train.batch_size=25", "data.count=60")
    assert small.step == large.step == 6
    for ours, theirs in zip(small.model.parameters(), large.model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    assert small.history[-1]["train/loss"] == pytest.approx(large.history[-1]["train/loss"], rel=1e-5)


def test_a_batch_that_weighs_nothing_counts_nothing() -> None:
    meter = LossMeter()
    meter.add(1, torch.tensor(float("nan")), 4, 0.1, None, {"": torch.tensor(0.0)})
    meter.add(2, torch.tensor(2.0), 1, 0.1, None, {"": torch.tensor(3.0)})
    meter.drain()
    assert meter.means() == {"loss": 2.0}


def test_the_weights_of_half_an_epoch_outlive_an_interruption() -> None:
    straight, first, second = LossMeter(), LossMeter(), LossMeter()
    for meter in (straight, first):
        meter.add(1, {"a": torch.tensor(1.0), "b": torch.tensor(4.0)}, 2, 0.1, None, {"": 2, "a": 0.5})
        meter.drain()
    second.load_state_dict(first.state_dict())
    for meter in (straight, second):
        meter.add(2, {"a": torch.tensor(3.0), "b": torch.tensor(1.0)}, 1, 0.1, None, {"": 1, "a": 1.5})
        meter.drain()
    assert second.means() == straight.means() == {"a": 2.5, "b": 3.0, "loss": 5.5}


@pytest.mark.parametrize("wrong", ["much", torch.ones(2), {"loss": [1]}])
def test_a_weight_that_is_none_is_told_as_the_losss(make_run: MakeRun, wrong: Any) -> None:
    run = make_run(*PLAIN)
    run.loss = Weighted(False)
    run.loss.batch_weight = lambda batch: wrong  # type: ignore[attr-defined]
    with pytest.raises(VtkError, match="batch_weight of the loss from vtk_loss returned"):
        fit(run)


@pytest.mark.parametrize("wrong", [-1.0, float("nan"), float("inf")])
def test_a_weight_without_a_sense_is_refused_when_it_is_read(wrong: float) -> None:
    meter = LossMeter()
    meter.add(1, torch.tensor(1.0), 4, 0.1, None, {"": torch.tensor(wrong)})
    with pytest.raises(VtkError, match="batch_weight"):
        meter.drain()


def test_batches_that_all_weigh_nothing_have_no_share() -> None:
    class Nothing:
        def batch_weight(self, _batch: Any) -> Tensor:
            return torch.tensor(0.0)

    shares = Shares(Nothing(), [(torch.zeros(2), torch.zeros(2))] * 2)
    assert [float(share) for share in shares.of("loss")] == [0, 0]
