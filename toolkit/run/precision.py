"""The number format that a run learns in, and why: ``train.precision``, settled once and told."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import torch

from toolkit.errors import ExitCode, VtkError
from toolkit.system.precision import FORMATS, PrecisionPlan, auto_precision

if TYPE_CHECKING:
    from collections.abc import Collection

    from toolkit.recipe.resolved import ResolvedRecipe
    from toolkit.recipe.sections import Recipe

_KEY = "train.precision"
_AUTO = "auto: "


def settle_precision(resolved: ResolvedRecipe, device: torch.device, began: str | None = None) -> ResolvedRecipe:
    """The recipe with ``train.precision`` settled where it is ``auto``; its origin becomes the reason.

    Args:
        device: where the model will live.
        began: the format in which a run that goes on began; it wins over what this machine has.
    """
    if resolved.recipe.train.precision != "auto":
        return resolved
    if began is not None:
        name, why = began, "as this run began"
    else:
        name, why = auto_precision(device, precision_formats(resolved.recipe))
    return resolved.settled("train", "precision", name, f"{_AUTO}{why}")


def plan_precision(resolved: ResolvedRecipe, device: torch.device) -> PrecisionPlan:
    """How to train, from a recipe that is settled.

    Raises:
        VtkError: fp16 on the CPU, which computes it slowly and without the range that training needs.
    """
    name = resolved.recipe.train.precision
    if name == "fp16" and device.type == "cpu":
        hint = "Set `train.precision: auto` (or bf16, fp32)."
        raise VtkError("fp16 training needs a GPU", hint=hint, code=ExitCode.RECIPE)
    origin = resolved.origins.get(_KEY, "")
    why = origin.removeprefix(_AUTO) if origin.startswith(_AUTO) else "as the recipe says"
    return PrecisionPlan(name, why, device.type)


def precision_formats(recipe: Recipe) -> Collection[str]:
    """The formats that a task's schema lets a recipe name, and that ``auto`` may therefore choose from."""
    return set(FORMATS) & set(get_args(type(recipe.train).model_fields["precision"].annotation))


def answers_note(recipe: Recipe) -> str:
    """The end of a line about training's format: which one the model answers in; nothing where it is the same."""
    train, answers = recipe.train.precision, recipe.inference.precision
    return "" if train == answers or not recipe.predicts else f" · answers in {answers}"
