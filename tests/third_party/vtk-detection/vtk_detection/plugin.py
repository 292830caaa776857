"""The task `detection`: its hooks. Importing this imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit import Bundle, Data, Figure, Option, Result, Run, Table, hookimpl
from vtk_detection.config import DetectionRecipe

if TYPE_CHECKING:
    from torch import nn


class Detection:
    """Boxes and what is in them."""

    @hookimpl
    def vtk_config(self) -> type[DetectionRecipe]:
        """Pictures with boxes, FCOS, what counts as found."""
        return DetectionRecipe

    @hookimpl
    def vtk_options(self) -> list[Option]:
        """One's own pictures."""
        return [
            Option("--annotations", "data.source.annotations", "Boxes in COCO's format.", metavar="JSON"),
            Option("--images", "data.source.images", "The folder of their pictures.", metavar="FOLDER"),
        ]

    @hookimpl
    def vtk_data(self, recipe: DetectionRecipe, run: Run) -> Data:
        """Drawn, or from a file of annotations."""
        from vtk_detection.data import build_data

        return build_data(recipe, run)

    @hookimpl
    def vtk_model(self, recipe: DetectionRecipe, data: Data) -> nn.Module:
        """FCOS for the data's classes."""
        from vtk_detection.model import Detector

        return Detector(len(data.meta["classes"]), recipe.data.size, recipe.model.width, recipe.model.channels)

    @hookimpl
    def vtk_loss(self) -> Callable[..., Any]:
        """The model's own losses."""
        from vtk_detection.model import own_losses

        return own_losses

    @hookimpl
    def vtk_metrics(self, split: str) -> Any:
        """Mean average precision; while it trains, the model gives losses and no boxes."""
        if split == "train":
            return None
        from torchmetrics import MetricCollection

        from vtk_detection.metrics import BoxPrecision

        return MetricCollection({"map_50": BoxPrecision()})

    @hookimpl
    def vtk_predict(
        self, bundle: Bundle, inputs: Sequence[Path], drawings: Sequence[Path] | None
    ) -> list[dict[str, Any]]:
        """The boxes of each picture."""
        from vtk_detection.pictures import predict

        return predict(bundle, inputs, drawings)

    @hookimpl
    def vtk_report(self, run: Run, result: Result) -> list[Figure | Table]:
        """Precision of each class, boxes."""
        from vtk_detection.pictures import report

        return report(run, result)


plugin = Detection()
