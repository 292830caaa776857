"""The core's own answers to hooks, registered before every plugin and so asked last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolkit.hooks.specs import hookimpl
from toolkit.inference.defaults import InferenceDefaults
from toolkit.run.step import core_step

if TYPE_CHECKING:
    from torch import nn

    from toolkit.recipe.sections import Recipe
    from toolkit.run.run import Run
    from toolkit.types.options import OptimizerSetup
    from toolkit.types.progress import Stage


class CoreDefaults(InferenceDefaults):
    """What happens where neither the task nor an extension answers."""

    @hookimpl
    def vtk_optimizer(self, recipe: Recipe, model: nn.Module, stage: Stage) -> OptimizerSetup:
        """Built by name from the recipe."""
        from toolkit.optim.optimizers import build_optimizer

        return build_optimizer(model, stage)

    @hookimpl
    def vtk_step(self, run: Run, batch: Any) -> Any:
        """Zero, forward, loss, backward, clip, step."""
        return core_step(run, batch)

    @hookimpl
    def vtk_fit(self, run: Run) -> bool:
        """Stages, epochs, steps."""
        from toolkit.run.loop import fit

        return fit(run)


core_defaults = CoreDefaults()
