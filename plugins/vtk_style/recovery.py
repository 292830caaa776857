"""What happens when the loss is not a number."""

from __future__ import annotations

from typing import Any, cast

import torch

from toolkit import ExitCode, Run, VtkError
from vtk_style.model import StyleModel


def recover(run: Run, error: VtkError, limit: int) -> Any:
    """Go back to the last good image with a fresh optimizer; the terms of the last good step stand for this one's.

    Raises:
        VtkError: it is the ``limit``-th time in a row, or there is no good image yet (exit code 80).
    """
    state = run.plugin_state("style", failures=0)
    state["failures"] += 1
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
