"""Mean average precision, as COCO computes it."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torchmetrics.detection import MeanAveragePrecision


class BoxPrecision(MeanAveragePrecision):
    """``map_50`` and ``map``: the mean over classes, at IoU 0.5, and the mean over IoU 0.5 to 0.95 as well."""

    def compute(self) -> dict[str, Tensor]:
        """Two of the many values that COCO's evaluation gives."""
        values: dict[str, Tensor] = super().compute()
        return {name: values[name] for name in ("map_50", "map")}


def by_class(outputs: list[Any], targets: list[Any], classes: list[str]) -> list[list[Any]]:
    """Name, average precision at IoU 0.5, and number of boxes of each class."""
    rows = []
    for place, name in enumerate(classes):
        metric = BoxPrecision()
        metric.update([_only(one, place) for one in outputs], [_only(one, place) for one in targets])
        boxes = sum(int((target["labels"] == place).sum()) for target in targets)
        rows.append([name, round(metric.compute()["map_50"].item(), 4) if boxes else None, boxes])
    return rows


def _only(one: dict[str, Tensor], place: int) -> dict[str, Tensor]:
    return {name: part[one["labels"] == place] for name, part in one.items()}
