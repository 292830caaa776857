"""Sums over an epoch agree with double-precision references."""

from __future__ import annotations

import warnings

import pytest
import torch
from torchmetrics import MeanAbsoluteError, MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassConfusionMatrix

from toolkit.run.checkpoint import format as state_file
from toolkit.run.meters import LossMeter, OutputBuffer, batch_length
from toolkit.types.data import Batch


def test_means_are_weighted_by_samples_and_do_not_depend_on_when_they_are_read() -> None:
    values, weights = torch.rand(50), torch.randint(1, 9, (50,)).tolist()
    once, often = LossMeter(), LossMeter()
    for i, (value, weight) in enumerate(zip(values, weights, strict=True)):
        for meter in (once, often):
            meter.add(i, {"a": value, "b": 2 * value}, weight, 0.1, None)
        if i % 7 == 0:
            often.drain()
    once.drain()
    often.drain()
    reference = (values.double() * torch.tensor(weights)).sum().item() / sum(weights)
    assert once.means() == often.means()
    assert once.means()["a"] == pytest.approx(reference, rel=1e-7)
    assert once.means()["loss"] == pytest.approx(3 * reference, rel=1e-6)


def test_records_name_step_rate_terms_and_norm() -> None:
    meter = LossMeter()
    meter.add(4, {"content": torch.tensor(1.0), "tv": torch.tensor(0.5)}, 1, 0.25, torch.tensor(9.0))
    assert meter.drain() == [{"step": 4, "lr": 0.25, "loss": 1.5, "content": 1.0, "tv": 0.5, "grad_norm": 9.0}]
    assert meter.drain() == []


def collection() -> MetricCollection:
    return MetricCollection({"accuracy": MulticlassAccuracy(5, average="micro"), "macro": MulticlassAccuracy(5)})


def test_buffered_metrics_equal_metrics_of_the_whole() -> None:
    logits, targets = torch.randn(300, 5), torch.randint(0, 5, (300,))
    buffer = OutputBuffer(collection())
    for part, target in zip(logits.split(32), targets.split(32), strict=True):
        buffer.add(part, target)
    expected = (logits.argmax(1) == targets).double().mean().item()
    assert buffer.compute()["accuracy"] == pytest.approx(expected, abs=1e-7)


def test_a_buffer_stored_in_the_middle_ends_as_if_it_had_not_been() -> None:
    logits, targets = torch.randn(100, 5), torch.randint(0, 5, (100,))
    straight, first = OutputBuffer(collection()), OutputBuffer(collection())
    straight.add(logits, targets)
    first.add(logits[:60], targets[:60])
    second = OutputBuffer(collection())
    second.load_state_dict(state_file.load(*state_file.dump(first.state_dict())))
    second.add(logits[60:], targets[60:])
    assert second.compute() == straight.compute()


@pytest.mark.parametrize("stored_after", [(1,), (4, 5), (2, 7, 9), ()])
def test_where_it_was_stored_changes_no_bit_of_a_sum_in_single_precision(stored_after: tuple[int, ...]) -> None:
    rng = torch.Generator().manual_seed(1)
    outputs, targets = torch.randn(10, 7, generator=rng) * 1e3, torch.randn(10, 7, generator=rng)
    straight = OutputBuffer(MetricCollection({"mae": MeanAbsoluteError()}))
    for output, target in zip(outputs, targets, strict=True):
        straight.add(output, target)
    expected = straight.compute()
    buffer = OutputBuffer(MetricCollection({"mae": MeanAbsoluteError()}))
    for number, (output, target) in enumerate(zip(outputs, targets, strict=True), 1):
        buffer.add(output, target)
        if number in stored_after:
            stored = state_file.load(*state_file.dump(buffer.state_dict()))
            buffer = OutputBuffer(MetricCollection({"mae": MeanAbsoluteError()}))
            buffer.load_state_dict(stored)
    assert buffer.compute() == expected


def test_outputs_of_another_shape_after_a_checkpoint_count_with_those_before() -> None:
    first = OutputBuffer(MetricCollection({"mae": MeanAbsoluteError()}))
    first.add(torch.ones(4, 3), torch.zeros(4, 3))
    second = OutputBuffer(MetricCollection({"mae": MeanAbsoluteError()}))
    second.load_state_dict(state_file.load(*state_file.dump(first.state_dict())))
    second.add(torch.full((2, 6), 3.0), torch.zeros(2, 6))
    assert second.compute()["mae"] == pytest.approx((12 * 1 + 12 * 3) / 24)


def test_a_buffer_stored_at_the_very_end_computes_without_a_warning() -> None:
    logits, targets = torch.randn(10, 5), torch.randint(0, 5, (10,))
    first = OutputBuffer(collection())
    first.add(logits, targets)
    expected = first.compute()
    second = OutputBuffer(collection())
    second.load_state_dict(state_file.load(*state_file.dump(first.state_dict())))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert second.compute() == expected


def test_large_outputs_are_handed_on_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.run.meters.FLUSH_BYTES", 1000)
    buffer = OutputBuffer(MetricCollection({"c": MulticlassConfusionMatrix(5)}))
    logits = torch.randn(100, 5)
    buffer.add(logits, logits.argmax(1))
    assert buffer._outputs == []
    assert buffer.metrics["c"].compute().trace() == 100


def test_an_epoch_without_outputs_has_no_metrics() -> None:
    assert OutputBuffer(collection()).compute() == {}


@pytest.mark.parametrize(
    ("batch", "length"),
    [
        (Batch(torch.zeros(7, 2), torch.zeros(7)), 7),
        ({"input": torch.zeros(3, 1)}, 3),
        (([1, 2], [3, 4]), 2),
        ((torch.tensor(1.0),), 1),
    ],
)
def test_batch_lengths(batch: object, length: int) -> None:
    assert batch_length(batch) == length
