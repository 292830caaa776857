"""A loss that nothing can be learned from, told as the fault of the hook that gave it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor

from toolkit.errors import VtkError
from toolkit.hooks.results import described, owned, wrong_answer

if TYPE_CHECKING:
    from toolkit.run.run import Run

_SCALAR = "a loss is a scalar tensor, or a mapping of names to scalar tensors, which are summed"
_GRADIENT = "compute it from the model's output with torch, without .item(), .detach(), numpy or torch.no_grad()"


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
    return wrong_answer(f"{source} of {owned(run.local['manager'].owner_of(hook))} returned {what}", wanted)


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
        return None if value.numel() == 1 else (described(value), f"{_SCALAR}; take its mean: loss.mean()")
    if not isinstance(value, Mapping):
        return described(value), _SCALAR
    if not value:
        return "a mapping without terms", _SCALAR
    for name, term in value.items():
        if not isinstance(term, Tensor) or term.numel() != 1:
            return f"{described(term)} as the term {name!r}", _SCALAR
    return None


def _has_gradient(value: Any) -> bool:
    return any(term.requires_grad for term in ([value] if isinstance(value, Tensor) else value.values()))
