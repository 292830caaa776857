"""The stages of a run, as the recipe's `stages` or its `train` section says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from toolkit.errors import ExitCode, VtkError
from toolkit.types.progress import Stage

if TYPE_CHECKING:
    from toolkit.recipe.sections import Recipe, StageSection


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
        raise _two_lengths("train.steps" if train.epochs is None else "train.epochs", origins or {})
    if recipe.stages:
        return [_from_section(i, section, recipe) for i, section in enumerate(recipe.stages)]
    if not length_given:
        raise VtkError(
            "the recipe does not say how long to train",
            hint="Set `train.epochs` (or `train.steps`), e.g. `--set train.epochs=10`.",
            code=ExitCode.RECIPE,
        )
    return [Stage(0, "train", train.epochs, train.steps, train.steps_per_epoch, recipe.optimizer, recipe.schedule)]


def _two_lengths(key: str, origins: Mapping[str, str]) -> VtkError:
    """Told where the length, or else the stages, were given on the command line, after what is in a file."""
    stages = next((origin for name, origin in origins.items() if name.startswith("stages.")), "")
    length = origins.get(key, "")
    by_stages = stages.startswith("--") and not length.startswith("--")
    return VtkError(
        f"{key} says how long a run without stages is, but the recipe has stages",
        place=(stages if by_stages else length) or None,
        hint=f"Each stage has its own length: leave {key} out (--set {key}=null), or the stages (--set 'stages=[]').",
        code=ExitCode.RECIPE,
    )


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
