"""What goes wrong in a run and is no bug: what PyTorch raises, and losses that nothing can be learned from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor

from toolkit.errors import ExitCode, VtkError, is_out_of_memory
from toolkit.hooks.results import owner_name, type_name, wrong_answer
from toolkit.system.memory import out_of_memory, smaller_batches
from toolkit.system.os_errors import os_error, resource_error

if TYPE_CHECKING:
    from toolkit.run.run import Run

__all__ = ["held_out_loss", "loss_error", "user_error"]


_SCALAR = "a loss is a scalar tensor, or a mapping of names to scalar tensors, which are summed"
_GRADIENT = "compute it from the model's output with torch, without .item(), .detach(), numpy or torch.no_grad()"


def user_error(run: Run, error: BaseException) -> VtkError | None:
    """What to tell of an error that the recipe can be changed to avoid; None for any other, which is a bug."""
    detail = next(iter(str(error).splitlines()), "")
    if told := os_error(error):
        return told
    if is_out_of_memory(error):
        return _out_of_memory(run, detail)
    if told := resource_error(error):
        return told
    if isinstance(error, ValueError) and detail.startswith("Expected more than 1 value per channel when training"):
        return _one_value(run)
    return None


def _out_of_memory(run: Run, detail: str) -> VtkError:
    train = run.recipe.train
    advice = f"{smaller_batches(train.batch_size, train.accumulate)}, or use train.precision: bf16."
    return out_of_memory(f"out of memory on {run.device} with batches of {train.batch_size}: {detail}", advice)


def _one_value(run: Run) -> VtkError:
    size = run.recipe.train.batch_size
    remedy = "Set train.batch_size to 2 or more" if size == 1 else "More training samples help"
    return VtkError(
        f"a batch norm layer was given a single value per channel (a batch of {size} or fewer samples, "
        "brought down to 1 x 1 pixels), from which no spread can be told",
        hint=f"{remedy}, or larger images, or a model without batch norm.",
        code=ExitCode.RECIPE,
    )


def loss_error(run: Run, value: Any, *, hook: str = "vtk_loss", learning: bool = True) -> VtkError | None:
    """Why ``value`` is no loss, or None where it is one.

    A step asks once something has failed, never before: it is too short for looking at every loss.

    Args:
        hook: where the value comes from: the function that ``vtk_loss`` returned, or ``vtk_step``.
        learning: whether gradients are taken of it.
    """
    found = _unlike_a_loss(value)
    if found is None and learning and not _has_gradient(value):
        if not any(parameter.requires_grad for parameter in run.model.parameters()):
            return None  # a stage in which nothing learns is no fault of the loss
        found = "a loss without a gradient", _GRADIENT
    if found is None:
        return None
    what, wanted = found
    source = "the function from vtk_loss" if hook == "vtk_loss" else hook
    return wrong_answer(f"{source} of {owner_name(run.plugins.owner_of(hook))} returned {what}", wanted)


def held_out_loss(run: Run) -> Callable[[Any, Any], Any]:
    """The run's loss for evaluation, where no optimizer's step finds out that it is none."""

    def loss(output: Any, batch: Any) -> Any:
        value = run.loss(output, batch)
        if fault := loss_error(run, value, learning=False):
            raise fault
        return value

    return loss


def _unlike_a_loss(value: Any) -> tuple[str, str] | None:
    """What is wrong with it as a value, and what it must be."""
    if isinstance(value, Tensor):
        return None if value.numel() == 1 else (type_name(value), f"{_SCALAR}; take its mean: loss.mean()")
    if not isinstance(value, Mapping):
        return type_name(value), _SCALAR
    if not value:
        return "a mapping without terms", _SCALAR
    for name, term in value.items():
        if not isinstance(term, Tensor) or term.numel() != 1:
            return f"{type_name(term)} as the term {name!r}", _SCALAR
    return None


def _has_gradient(value: Any) -> bool:
    return any(term.requires_grad for term in ([value] if isinstance(value, Tensor) else value.values()))
