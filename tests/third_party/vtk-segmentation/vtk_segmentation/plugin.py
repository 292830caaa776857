"""The task `segmentation`: its hooks. Importing this imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit import Bundle, Data, Figure, Option, Result, Run, Table, hookimpl
from vtk_segmentation.config import SegmentationRecipe

if TYPE_CHECKING:
    from torch import nn


class Segmentation:
    """A class for every pixel."""

    @hookimpl
    def vtk_config(self) -> type[SegmentationRecipe]:
        """Pictures with masks, a U-Net, its loss."""
        return SegmentationRecipe

    @hookimpl
    def vtk_options(self) -> list[Option]:
        """``--images`` for one's own folder."""
        return [Option("--images", "data.source.root", "The folder with `images` and `masks`.", metavar="FOLDER")]

    @hookimpl
    def vtk_data(self, recipe: SegmentationRecipe, run: Run) -> Data:
        """Drawn, or from a folder."""
        from vtk_segmentation.data import build_data

        return build_data(recipe, run)

    @hookimpl
    def vtk_model(self, recipe: SegmentationRecipe, data: Data) -> nn.Module:
        """A U-Net for the data's classes."""
        from vtk_segmentation.unet import UNet

        return UNet(len(data.meta["classes"]), recipe.model.width, recipe.model.depth)

    @hookimpl
    def vtk_loss(self, recipe: SegmentationRecipe) -> Callable[..., Any]:
        """Cross-entropy and Dice."""
        from vtk_segmentation.unet import SegmentationLoss

        return SegmentationLoss(recipe.loss.dice)

    @hookimpl
    def vtk_metrics(self, data: Data) -> Any:
        """Intersection over union, mean of the classes, and the share of right pixels."""
        from torchmetrics import MetricCollection
        from torchmetrics.classification import MulticlassAccuracy, MulticlassJaccardIndex

        from vtk_segmentation.folders import IGNORED

        classes = len(data.meta["classes"])
        return MetricCollection(
            {
                "iou": MulticlassJaccardIndex(classes, ignore_index=IGNORED),
                "pixel_accuracy": MulticlassAccuracy(classes, average="micro", ignore_index=IGNORED),
            }
        )

    @hookimpl
    def vtk_predict(
        self, bundle: Bundle, inputs: Sequence[Path], drawings: Sequence[Path] | None
    ) -> list[dict[str, Any]]:
        """What is in each picture, and its overlay."""
        from vtk_segmentation.pictures import predict

        return predict(bundle, inputs, drawings)

    @hookimpl
    def vtk_report(self, run: Run, result: Result) -> list[Figure | Table]:
        """IoU of each class, overlays."""
        from vtk_segmentation.pictures import report

        return report(run, result)


plugin = Segmentation()
