"""What is measured."""

from __future__ import annotations

from typing import Any


def build_metrics(num_classes: int) -> Any:
    """Accuracy; accuracy as the mean over classes; F1 as the mean over classes. All in [0, 1], more is better.

    The first one chooses the weights that are kept, unless the recipe says otherwise.
    """
    from torchmetrics import MetricCollection
    from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

    return MetricCollection(
        {
            "accuracy": MulticlassAccuracy(num_classes, average="micro"),
            "balanced_accuracy": MulticlassAccuracy(num_classes, average="macro"),
            "f1": MulticlassF1Score(num_classes, average="macro"),
        }
    )
