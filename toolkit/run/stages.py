"""The stages of a run, as the recipe's `stages` or its `train` section says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolkit.errors import ExitCode, VtkError

if TYPE_CHECKING:
    from toolkit.recipe.sections import Recipe, StageSection


@dataclass(frozen=True)
class Stage:
    """A part of a run with its own optimizer and its own trainable parameters.

    Exactly one of ``epochs`` and ``steps`` is set. ``section`` is the recipe's own stage section, with whatever keys
    the task added to it; None where the recipe has no ``stages``. ``batches`` is the number of optimizer steps that one
    pass over the training data gives; the core sets it once the stage's loader is built, before ``vtk_optimizer``.
    ``higher_is_better`` is the direction of the metric that a plateau schedule watches; the core sets it as well.
    """

    index: int
    name: str
    epochs: int | None
    steps: int | None
    steps_per_epoch: int | None
    optimizer: Any
    schedule: Any
    section: StageSection | None = None
    batches: int = 0
    higher_is_better: bool = False

    @property
    def epoch_steps(self) -> int:
        """Optimizer steps in one epoch."""
        if self.steps is None:
            return self.batches
        return min(self.steps_per_epoch or self.batches, self.steps)

    @property
    def total_steps(self) -> int:
        """Optimizer steps in the whole stage."""
        return self.steps if self.steps is not None else (self.epochs or 0) * self.batches

    @property
    def total_epochs(self) -> int:
        """Epochs in the whole stage; the last of a stage that counts steps may be short."""
        return self.epochs if self.epochs is not None else -(-self.total_steps // max(self.epoch_steps, 1))


def plan_stages(recipe: Recipe, origins: Mapping[str, str] | None = None) -> list[Stage]:
    """The run's stages in order; one stage where the recipe lists none.

    Args:
        origins: where each value comes from, for errors.

    Raises:
        VtkError: neither or both of ``stages`` and a length in ``train`` are given.
    """
    train = recipe.train
    length_given = train.epochs is not None or train.steps is not None
    if recipe.stages and length_given:
        key = "train.steps" if train.epochs is None else "train.epochs"
        raise VtkError(
            f"{key} says how long a run without stages is, but the recipe has stages",
            place=(origins or {}).get(key),
            hint="Remove the length from `train`; each stage has its own.",
            code=ExitCode.RECIPE,
        )
    if recipe.stages:
        return [_from_section(i, section, recipe) for i, section in enumerate(recipe.stages)]
    if not length_given:
        raise VtkError(
            "the recipe does not say how long to train",
            hint="Set `train.epochs` (or `train.steps`), e.g. `--set train.epochs=10`.",
            code=ExitCode.RECIPE,
        )
    return [Stage(0, "train", train.epochs, train.steps, train.steps_per_epoch, recipe.optimizer, recipe.schedule)]


def _from_section(index: int, section: StageSection, recipe: Recipe) -> Stage:
    optimizer = section.optimizer or recipe.optimizer
    if section.lr is not None:
        optimizer = optimizer.model_copy(update={"lr": section.lr})
    return Stage(
        index=index,
        name=section.name or f"stage-{index + 1}",
        epochs=section.epochs,
        steps=section.steps,
        steps_per_epoch=section.steps_per_epoch,
        optimizer=optimizer,
        schedule=section.schedule or recipe.schedule,
        section=section,
    )
