"""What happens when the loss is not a number, or memory runs out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import torch

from toolkit import ExitCode, Run, VtkError
from vtk_style.model import StyleModel
from vtk_style.session import NAME, tile_sides


def recover(run: Run, error: VtkError, limit: int) -> Any:
    """Go back to the last good image with a fresh optimizer; the terms of the last good step stand for this one's.

    Raises:
        VtkError: it is the ``limit``-th time in a row, or there is no good image yet (exit code 80).
    """
    state = run.plugin_state(NAME)
    state["failures"] = state.get("failures", 0) + 1
    model = cast(StyleModel, run.model)
    terms = run.local.get("style_terms")
    if state["failures"] >= limit or terms is None:
        raise VtkError(
            f"the loss was not finite {state['failures']} time(s) in a row, at step {run.step + 1}",
            hint="Use train.precision: fp32, a smaller optimizer.lr, or smaller loss weights.",
            code=ExitCode.NON_FINITE,
        ) from error
    model.restore_good()
    run.optimizer.state.clear()
    run.optimizer.zero_grad(set_to_none=True)
    run.say(f"Step {run.step + 1}: the loss is not finite; back to the last good image, the optimizer begins anew.")
    return {name: torch.as_tensor(value).detach() for name, value in terms.items()}


def cut_smaller(run: Run, error: Exception) -> None:
    """Halve the tiles after the memory ran out; the step is then done again.

    Raises:
        Exception: ``error`` itself, where it is another one, or no smaller tile is left.
    """
    out_of_memory = isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)
    objective = cast(StyleModel, run.model).objective
    assert objective is not None
    tiling = objective.tiling
    stride = tiling.field.stride
    side = min(tiling.side, max(tiling.height, tiling.width)) // 2 // stride * stride
    if not out_of_memory or side < max(stride, 16):
        raise error
    if run.device.type == "cuda":
        torch.cuda.empty_cache()
    objective.tiling = replace(tiling, side=side)
    tile_sides(run)[str(run.stage.index)] = side
    run.optimizer.zero_grad(set_to_none=True)
    run.say(f"Step {run.step + 1}: out of memory; going on in tiles of {side} pixels.")
