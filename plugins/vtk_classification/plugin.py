"""The task's hooks. Read it as a table of contents: each hook is a line or two over a module of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolkit import Option, hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from torch import nn

    from toolkit import Bundle, Data, Figure, Recipe, Result, Run, Stage, Table
    from toolkit.types.survey import Survey
    from vtk_classification.config import ClassificationRecipe


class Classification:
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
    def vtk_survey(self, recipe: ClassificationRecipe) -> Survey:
        """Every image with its labels and split, for ``vtk check``."""
        from toolkit.labelled_images.data import fresh_cut
        from toolkit.labelled_images.survey import survey_images

        return survey_images(recipe, fresh_cut)

    @hookimpl
    def vtk_model(self, recipe: ClassificationRecipe, data: Data) -> nn.Module:
        """A plain network or a backbone."""
        from toolkit.labelled_images.model import build_model

        return build_model(recipe.model, data)

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
    def vtk_stage_start(self, run: Run, stage: Stage) -> None:
        """Freezes and thaws what the stage says."""
        from toolkit.labelled_images.model import set_trainable

        recipe: Any = run.recipe
        section: Any = stage.section
        set_trainable(run.model, recipe.model, section)

    @hookimpl
    def vtk_inference(self, recipe: ClassificationRecipe, model: nn.Module) -> nn.Module | None:
        """Averaged over views, if the recipe says so."""
        from toolkit.labelled_images.tta import with_views

        return with_views(model, recipe.inference, "softmax")

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
