"""What PyTorch raises in a run that its user can mend, told as such."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.errors import ExitCode, VtkError, is_out_of_memory
from toolkit.system.memory_limit import memory_hint
from toolkit.system.os_errors import os_error, resource_error

if TYPE_CHECKING:
    from toolkit.run.run import Run

__all__ = ["mendable"]


def mendable(run: Run, error: BaseException) -> VtkError | None:
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
    size = run.recipe.train.batch_size
    return VtkError(
        f"out of memory on {run.device} with batches of {size}: {detail}",
        hint=memory_hint(
            f"Halve train.batch_size to {max(size // 2, 1)} and set train.accumulate to "
            f"{run.recipe.train.accumulate * 2}, or use train.precision: bf16."
        ),
        code=ExitCode.OUT_OF_MEMORY,
    )


def _one_value(run: Run) -> VtkError:
    size = run.recipe.train.batch_size
    remedy = "Set train.batch_size to 2 or more" if size == 1 else "More training samples help"
    return VtkError(
        f"a batch norm layer was given a single value per channel (a batch of {size} or fewer samples, "
        "brought down to 1 x 1 pixels), from which no spread can be told",
        hint=f"{remedy}, or larger images, or a model without batch norm.",
        code=ExitCode.RECIPE,
    )
