"""What is measured: how well labels are ranked, and how good the decisions are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import (
    MultilabelExactMatch,
    MultilabelF1Score,
    MultilabelHammingDistance,
)
from torchmetrics.utilities.data import dim_zero_cat

__all__ = ["build_metrics", "ranks"]


def build_metrics(thresholds: Sequence[float]) -> MetricCollection:
    """Mean average precision first: it chooses the weights that are kept, unless the recipe says otherwise.

    All take logits and multi-hot targets, shape (n, labels). ``map``: the mean over labels of the area under the
    precision-recall curve, independent of thresholds. ``micro_f1``, ``macro_f1``: over all decisions, and the mean over
    labels. ``subset_accuracy``: share of images with every label right. ``hamming``: share of single labels that are
    wrong; the only one of which less is better.

    Means over labels are over those that are there, as with scikit-learn: ``map`` over those that occur, ``macro_f1``
    over those that occur or were decided for; NaN where there is none.

    Args:
        thresholds: the probability from which on each label counts as there.
    """
    labels = len(thresholds)
    values = torch.tensor(list(thresholds), dtype=torch.float64)
    # Each decides by itself, so they must not share states computed for one another.
    found = MetricCollection({"map": MeanAveragePrecision()}, compute_groups=False)
    decided: dict[str, Any] = {
        "micro_f1": F1(values, num_labels=labels, average="micro"),
        "macro_f1": MacroF1(values, num_labels=labels, average="none"),
        "subset_accuracy": SubsetAccuracy(values, num_labels=labels),
        "hamming": Hamming(values, num_labels=labels, average="micro"),
    }
    found.add_metrics(decided)  # afterwards, because a collection sorts what it is given at once
    return found


def ranks(scores: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """The place of each score among the different ones: their order and ties, where infinities are numbers like others.

    Shape (n,) twice.
    """
    return np.unique(scores, return_inverse=True)[1]


class MeanAveragePrecision(Metric):
    """Average precision, the mean over the labels that occur; NaN if none does, and where a logit is NaN.

    Images are ranked by their logits: probabilities in float32 are all 1 from a logit of 17 on.
    """

    full_state_update = False
    is_differentiable = False
    higher_is_better = True
    preds: list[Tensor]
    target: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("preds", default=[], dist_reduce_fx="cat")
        self.add_state("target", default=[], dist_reduce_fx="cat")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Logits and multi-hot targets."""
        self.preds.append(preds)
        self.target.append(target > 0.5)

    def compute(self) -> Tensor:
        """The mean; labels that do not occur have no average precision and are left out."""
        from sklearn.metrics import average_precision_score

        logits, present = dim_zero_cat(self.preds).cpu().numpy(), dim_zero_cat(self.target).cpu().numpy()
        if np.isnan(logits).any():
            return torch.tensor(float("nan"), dtype=torch.float64)
        there = np.flatnonzero(present.any(axis=0))
        found = [average_precision_score(present[:, i], ranks(logits[:, i])) for i in there]
        return torch.tensor(found, dtype=torch.float64).mean()


class _Decided:
    """Feeds a metric with decisions: whether each label's probability reaches its threshold."""

    def __init__(self, thresholds: Tensor, **options: Any) -> None:
        super().__init__(validate_args=False, **options)  # type: ignore[call-arg]
        self.thresholds = thresholds

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Logits and multi-hot targets."""
        metric: Any = super()
        metric.update((preds.double().sigmoid() >= self.thresholds).int(), target.int())


class F1(_Decided, MultilabelF1Score):
    """F1 of the decisions."""


class MacroF1(F1):
    """F1 of the decisions, the mean over the labels that occur or were decided for; NaN if there is none."""

    def compute(self) -> Any:
        """The mean over the labels that have an F1."""
        state: dict[str, Any] = self.metric_state
        by_label: Any = super().compute()
        return by_label[(state["tp"] + state["fp"] + state["fn"]) > 0].mean()


class SubsetAccuracy(_Decided, MultilabelExactMatch):
    """Share of images with every label right."""


class Hamming(_Decided, MultilabelHammingDistance):
    """Share of single decisions that are wrong."""
