"""What is measured: how well labels are ranked, and how good the decisions are."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import MetricCollection
from torchmetrics.classification import (
    MultilabelAveragePrecision,
    MultilabelExactMatch,
    MultilabelF1Score,
    MultilabelHammingDistance,
)
from torchmetrics.utilities.data import dim_zero_cat

__all__ = ["build_metrics"]


def build_metrics(thresholds: Sequence[float]) -> MetricCollection:
    """Mean average precision first: it chooses the weights that are kept, unless the recipe says otherwise.

    All take logits and multi-hot targets, shape (n, labels). ``map``: the mean over labels of the area under the
    precision-recall curve, independent of thresholds. ``micro_f1``, ``macro_f1``: over all decisions, and the mean over
    labels. ``subset_accuracy``: share of images with every label right. ``hamming``: share of single labels that are
    wrong; the only one of which less is better.

    Args:
        thresholds: the probability from which on each label counts as there.
    """
    labels = len(thresholds)
    values = torch.tensor(list(thresholds))
    # Each decides by itself, so they must not share states computed for one another.
    found = MetricCollection({"map": MeanAveragePrecision(labels)}, compute_groups=False)
    decided: dict[str, Any] = {
        "micro_f1": F1(values, num_labels=labels, average="micro"),
        "macro_f1": F1(values, num_labels=labels, average="macro"),
        "subset_accuracy": SubsetAccuracy(values, num_labels=labels),
        "hamming": Hamming(values, num_labels=labels, average="micro"),
    }
    found.add_metrics(decided)  # afterwards, because a collection sorts what it is given at once
    return found


class MeanAveragePrecision(MultilabelAveragePrecision):
    """Average precision, the mean over the labels that occur; NaN if none does."""

    def __init__(self, labels: int) -> None:
        super().__init__(labels, average="none", validate_args=False)

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Logits and multi-hot targets."""
        super().update(preds.sigmoid(), target.long())

    def compute(self) -> Any:
        """The mean; labels that do not occur have no average precision and are left out."""
        occurs = dim_zero_cat(self.target).any(dim=0)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="No positive")
            return super().compute()[occurs].mean()


class _Decided:
    """Feeds a metric with decisions: whether each label's probability reaches its threshold."""

    def __init__(self, thresholds: Tensor, **options: Any) -> None:
        super().__init__(validate_args=False, **options)  # type: ignore[call-arg]
        self.thresholds = thresholds

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Logits and multi-hot targets."""
        metric: Any = super()
        metric.update((preds.sigmoid() >= self.thresholds).int(), target.int())


class F1(_Decided, MultilabelF1Score):
    """F1 of the decisions."""


class SubsetAccuracy(_Decided, MultilabelExactMatch):
    """Share of images with every label right."""


class Hamming(_Decided, MultilabelHammingDistance):
    """Share of single decisions that are wrong."""
