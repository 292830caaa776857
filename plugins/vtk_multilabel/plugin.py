"""The task's hooks, each a line or two over a module of its own; what all tasks on labelled images do is the base's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolkit import Option, hookimpl
from toolkit.labelled_images import LabelledImageTask

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from torch import Tensor

    from toolkit import Bundle, Data, Figure, Recipe, Result, Run, Table
    from vtk_multilabel.config import MultilabelRecipe


class Multilabel(LabelledImageTask):
    """Multi-label classification: any number of labels for an image."""

    activation = "sigmoid"

    @hookimpl
    def vtk_config(self) -> type[Recipe]:
        """The recipe's sections."""
        from vtk_multilabel.config import MultilabelRecipe

        return MultilabelRecipe

    @hookimpl
    def vtk_options(self) -> list[Option]:
        """``--labels`` for the CSV of one's own labels."""
        return [
            Option("--labels", "data.source.file", "The CSV with the labels.", metavar="FILE"),
            Option("--images", "data.source.root", "The folder that the CSV's paths start from.", metavar="FOLDER"),
        ]

    @hookimpl
    def vtk_data(self, recipe: MultilabelRecipe, run: Run) -> Data:
        """Labelled images, split with each label in its proportion; see ``data.py``."""
        from vtk_multilabel.data import build_data

        return build_data(recipe, run)

    @hookimpl
    def vtk_loss(self, recipe: MultilabelRecipe, data: Data) -> Callable[[Any, Any], Any]:
        """Binary cross-entropy, focal or asymmetric; see ``loss.py``."""
        from vtk_multilabel.loss import build_loss

        return build_loss(recipe.loss, data.meta)

    @hookimpl
    def vtk_metrics(self, recipe: MultilabelRecipe, data: Data) -> Any:
        """Mean average precision first; see ``metrics.py``."""
        from vtk_multilabel.metrics import build_metrics

        return build_metrics(data.meta["thresholds"])

    @hookimpl
    def vtk_calibrate(self, run: Run, outputs: Tensor, targets: Tensor) -> None:
        """Tunes each label's threshold; see ``thresholds.py``."""
        from vtk_multilabel.thresholds import tuned_thresholds

        recipe: Any = run.recipe
        if recipe.thresholds == "tuned":
            run.data.meta["thresholds"] = tuned_thresholds(outputs.double().sigmoid().numpy(), targets.numpy())

    @hookimpl
    def vtk_predict(self, bundle: Bundle, inputs: Sequence[Path]) -> list[dict[str, Any]]:
        """Every label over its threshold, with its probability; see ``predict.py``."""
        from vtk_multilabel.predict import predict

        return predict(bundle, inputs)

    @hookimpl
    def vtk_report(self, run: Run, result: Result) -> list[Figure | Table]:
        """Figures per label, curves, samples; see ``report.py``."""
        from vtk_multilabel.report import report

        return report(run, result)


plugin = Multilabel()
