"""The task's hooks, each a line or two over a module of its own; what all tasks on labelled images do is the base's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolkit import Option, hookimpl
from toolkit.labelled_images import LabelledImageTask

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from toolkit import Bundle, Data, Figure, Recipe, Result, Run, Table
    from vtk_classification.config import ClassificationRecipe


class Classification(LabelledImageTask):
    """Image classification: one class for each image."""

    @hookimpl
    def vtk_config(self) -> type[Recipe]:
        """The recipe's sections."""
        from vtk_classification.config import ClassificationRecipe

        return ClassificationRecipe

    @hookimpl
    def vtk_options(self) -> list[Option]:
        """``--images`` for the folder of one's own images."""
        return [Option("--images", "data.source.root", "The folder with the images.", metavar="FOLDER")]

    @hookimpl
    def vtk_data(self, recipe: ClassificationRecipe, run: Run) -> Data:
        """Labelled images, split; see ``data.py``."""
        from vtk_classification.data import build_data

        return build_data(recipe, run)

    @hookimpl
    def vtk_loss(self, recipe: ClassificationRecipe, data: Data) -> Callable[[Any, Any], Any]:
        """Cross-entropy or focal loss; see ``loss.py``."""
        from vtk_classification.loss import build_loss

        return build_loss(recipe.loss, data.meta)

    @hookimpl
    def vtk_metrics(self, recipe: ClassificationRecipe, data: Data) -> Any:
        """Accuracy first; see ``metrics.py``."""
        from vtk_classification.metrics import build_metrics

        return build_metrics(len(data.meta["classes"]))

    @hookimpl
    def vtk_predict(self, bundle: Bundle, inputs: Sequence[Path]) -> list[dict[str, Any]]:
        """Classes of image files; see ``predict.py``."""
        from vtk_classification.predict import predict

        return predict(bundle, inputs)

    @hookimpl
    def vtk_report(self, run: Run, result: Result) -> list[Figure | Table]:
        """Figures per class, confusions, samples; see ``report.py``."""
        from vtk_classification.report import report

        return report(run, result)


plugin = Classification()
