"""The task's hooks. Read it as a table of contents: each hook is a line or two over a module of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolkit import Option, hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from torch import Tensor, nn

    from toolkit import Bundle, Data, Figure, Recipe, Result, Run, Stage, Table
    from toolkit.types.survey import Survey
    from vtk_multilabel.config import MultilabelRecipe


class Multilabel:
    """Multi-label classification: any number of labels for an image."""

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
    def vtk_survey(self, recipe: MultilabelRecipe) -> Survey:
        """Every image with its labels and split, for ``vtk check``."""
        from toolkit.labelled_images.data import fresh_cut
        from toolkit.labelled_images.survey import survey_images

        return survey_images(recipe, fresh_cut)

    @hookimpl
    def vtk_model(self, recipe: MultilabelRecipe, data: Data) -> nn.Module:
        """A plain network or a backbone with one output for each label."""
        from toolkit.labelled_images.model import build_model

        return build_model(recipe.model, data)

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
    def vtk_stage_start(self, run: Run, stage: Stage) -> None:
        """Freezes and thaws what the stage says."""
        from toolkit.labelled_images.model import set_trainable

        recipe: Any = run.recipe
        section: Any = stage.section
        set_trainable(run.model, recipe.model, section)

    @hookimpl
    def vtk_inference(self, recipe: MultilabelRecipe, model: nn.Module) -> nn.Module | None:
        """Averaged over views, if the recipe says so."""
        from toolkit.labelled_images.tta import with_views

        return with_views(model, recipe.inference, "sigmoid")

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
