"""What is measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection
from torchmetrics.utilities.data import dim_zero_cat

from vtk_classification.confusions import Confusions

__all__ = ["build_metrics", "counted"]

_NO_ANSWER = -1  # the pair of a sample whose logits are NaN: it was taken for no class


def build_metrics(num_classes: int) -> MetricCollection:
    """Accuracy; accuracy as the mean over classes; F1 as the mean over classes. All in [0, 1], more is better.

    The means are scikit-learn's: ``balanced_accuracy`` leaves out classes without samples, ``f1`` those that neither
    have samples nor were an answer.

    The first one chooses the weights that are kept, unless the recipe says otherwise.
    """
    found: dict[str, Any] = {
        "accuracy": Accuracy(num_classes),
        "balanced_accuracy": BalancedAccuracy(num_classes),
        "f1": MacroF1(num_classes),
    }
    return MetricCollection(found, compute_groups=[list(found)])  # one of them collects for all


def counted(metrics: Any) -> Confusions | None:
    """What a collection of :func:`build_metrics` has seen so far; None for any other."""
    for metric in metrics.values(copy_state=False) if isinstance(metrics, MetricCollection) else ():
        if isinstance(metric, FromPairs):
            return metric.confusions()
    return None


class FromPairs(Metric):
    """A figure of the samples' true and predicted classes, which is all that it keeps.

    torchmetrics' own count in a matrix of classes × classes: at 10,000 classes 800 MB for each batch.
    """

    full_state_update = False
    is_differentiable = False
    higher_is_better = True
    pairs: list[Tensor]

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.add_state("pairs", default=[], dist_reduce_fx="cat")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Logits of shape (n, classes), and class positions of shape (n,)."""
        top, taken = preds.max(1)  # NaN where one of them is
        self.pairs.append((target.long() * self.num_classes + taken).masked_fill(top.isnan(), _NO_ANSWER))

    def confusions(self) -> Confusions:
        """How often each class was taken for each; without the samples whose answers are NaN."""
        pairs = self._pairs()
        pairs = pairs[pairs != _NO_ANSWER]
        return Confusions.of(pairs // self.num_classes, pairs % self.num_classes, self.num_classes)

    def compute(self) -> Tensor:
        """The figure, a float64 scalar; NaN without samples, and where an answer is NaN."""
        pairs = self._pairs()
        known = len(pairs) > 0 and _NO_ANSWER not in pairs
        return torch.tensor(self.figure(self.confusions()) if known else float("nan"), dtype=torch.float64)

    def _pairs(self) -> npt.NDArray[np.int64]:
        return dim_zero_cat(self.pairs).cpu().numpy() if len(self.pairs) else np.empty(0, np.int64)

    def figure(self, found: Confusions) -> float:
        """The figure of at least one sample."""
        raise NotImplementedError


class Accuracy(FromPairs):
    """Share of the samples that were recognised."""

    def figure(self, found: Confusions) -> float:
        """Over all samples."""
        return float(found.hits.sum() / found.support.sum())


class BalancedAccuracy(FromPairs):
    """Recall, the mean over the classes that have samples."""

    def figure(self, found: Confusions) -> float:
        """Over the classes that occur."""
        return float(found.recall[found.support > 0].mean())


class MacroF1(FromPairs):
    """F1, the mean over the classes that have samples or were an answer."""

    def figure(self, found: Confusions) -> float:
        """Over the classes that have an F1."""
        return float(found.f1[found.support + found.answered > 0].mean())
