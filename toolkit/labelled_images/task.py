"""What every task on labelled images does alike: its survey, its network, what trains, and how it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from toolkit.hooks.specs import hookimpl

if TYPE_CHECKING:
    from torch import nn

    from toolkit.run.run import Run
    from toolkit.types.data import Data
    from toolkit.types.progress import Stage
    from toolkit.types.survey import Survey

__all__ = ["LabelledImageTask"]


class LabelledImageTask:
    """A task whose samples are images with labels: ``recipe.data`` is an :class:`ImageData` with a ``source``.

    A subclass adds ``vtk_config``, ``vtk_data`` (see :func:`labelled_data`), ``vtk_loss``, ``vtk_metrics``,
    ``vtk_predict`` and ``vtk_report``. Its recipe has ``model: ModelChoice``, ``stages: list[ImageStage]`` and
    ``inference: Inference``, its ``data.meta`` the classes.

    Attributes:
        activation: what makes probabilities of the network's logits.
    """

    activation: ClassVar[Literal["softmax", "sigmoid"]] = "softmax"

    @hookimpl
    def vtk_survey(self, recipe: Any) -> Survey:
        """Every image with its labels and split, for ``vtk check``."""
        from toolkit.labelled_images.data import fresh_cut
        from toolkit.labelled_images.survey import survey_images

        return survey_images(recipe, fresh_cut)

    @hookimpl
    def vtk_model(self, recipe: Any, data: Data) -> nn.Module:
        """A plain network or a backbone with one output for each class."""
        from toolkit.labelled_images.model import build_model

        return build_model(recipe.model, data)

    @hookimpl
    def vtk_stage_start(self, run: Run, stage: Stage) -> None:
        """Freezes and thaws what the stage says."""
        from toolkit.labelled_images.model import set_trainable

        recipe: Any = run.recipe
        set_trainable(run.model, recipe.model, stage.section)

    @hookimpl
    def vtk_inference(self, recipe: Any, model: nn.Module) -> nn.Module | None:
        """Averaged over views, if the recipe says so."""
        from toolkit.labelled_images.tta import with_views

        return with_views(model, recipe.inference, self.activation)
