"""The core's answer to ``vtk_step``: one optimizer step, always through a closure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from toolkit.errors import ExitCode, VtkError
from toolkit.run.meters import batch_length

if TYPE_CHECKING:
    from toolkit.run.run import Run

LossValue = Tensor | Mapping[str, Tensor]


class MicroBatches(list[Any]):
    """The batches whose gradients make one optimizer step."""


class NonFiniteLoss(VtkError):
    """The loss is NaN or infinite; the weights are those before the step."""

    def __init__(self, step: int, value: float) -> None:
        super().__init__(
            f"the loss is {value} at step {step + 1}; training stopped before this update",
            hint="Lower the learning rate, set train.clip_norm, or use train.precision: fp32.",
            code=ExitCode.NON_FINITE,
        )


def core_step(run: Run, batch: Any) -> LossValue:
    """Zero, forward, loss, backward, clip, step."""
    micro = batch if isinstance(batch, MicroBatches) else (batch,)
    seen: list[tuple[Any, Any]] = []
    last: list[LossValue] = []

    def closure() -> Tensor:
        seen.clear()
        last.clear()
        run.optimizer.zero_grad(set_to_none=True)
        total = _accumulate(run, micro, seen, last)
        _check_finite(run, total)
        if run.scaler is None:
            _clip(run)
        return total

    with torch.enable_grad():
        if run.scaler is None:
            run.optimizer.step(closure)  # type: ignore[arg-type]
        else:
            _scaled_step(run, closure)
    if run.outputs is not None:
        for output, part in seen:
            run.outputs.add(output, targets_of(part))
    return last[0] if len(last) == 1 else _mean_terms(last, micro)


def _accumulate(run: Run, micro: Any, seen: list[tuple[Any, Any]], last: list[LossValue]) -> Tensor:
    """Forward and backward over each part, weighted as if they were one batch; the total loss."""
    assert run.precision is not None
    lengths = [batch_length(part) for part in micro] if len(micro) > 1 else [1]
    total: Tensor | None = None
    for part, length in zip(micro, lengths, strict=True):
        with run.precision.autocast():
            output = run.model(inputs_of(part))
            value = run.loss(output, part)
        scalar = total_loss(value)
        weighted = scalar if len(micro) == 1 else scalar * (length / sum(lengths))
        (run.scaler.scale(weighted) if run.scaler is not None else weighted).backward()
        total = weighted.detach() if total is None else total + weighted.detach()
        last.append(value)
        seen.append((output, part))
    assert total is not None
    return total


def _check_finite(run: Run, loss: Tensor) -> None:
    """Stop before the update where reading is free; elsewhere keep the poisoned update from being applied."""
    if loss.device.type == "cpu":
        value = loss.item()
        if not math.isfinite(value):
            raise NonFiniteLoss(run.step, value)
    elif run.scaler is None and getattr(run.optimizer, "_step_supports_amp_scaling", False):
        # Fused optimizers skip the update on the device where this flag is set; the loop raises when it reads the loss.
        run.optimizer.found_inf = (~torch.isfinite(loss)).float()  # type: ignore[attr-defined]
    elif run.scaler is None and not math.isfinite(value := loss.item()):
        raise NonFiniteLoss(run.step, value)


def _clip(run: Run) -> None:
    limit = run.recipe.train.clip_norm
    if limit is not None:
        parameters = [p for group in run.optimizer.param_groups for p in group["params"]]
        run.grad_norm = torch.nn.utils.clip_grad_norm_(parameters, limit)


def _scaled_step(run: Run, closure: Any) -> None:
    """A gradient scaler looks at the gradients between backward and step, so the closure runs before the step."""
    closure()
    run.scaler.unscale_(run.optimizer)
    _clip(run)
    run.scaler.step(run.optimizer)
    run.scaler.update()


def inputs_of(batch: Any) -> Any:
    """What the model is fed: the batch's ``inputs``, first item, or ``input`` key."""
    return batch["input"] if isinstance(batch, Mapping) else batch[0]


def targets_of(batch: Any) -> Any:
    """What metrics compare with: the batch's second item or ``target`` key, or None."""
    if isinstance(batch, Mapping):
        return batch.get("target")
    return batch[1] if len(batch) > 1 else None


def total_loss(value: LossValue) -> Tensor:
    """A loss, or the sum of its named terms."""
    if isinstance(value, Tensor):
        return value
    return torch.stack([v.reshape(()) for v in value.values()]).sum()


def _mean_terms(values: list[LossValue], micro: Any) -> LossValue:
    """The parts' losses as one, each weighted by its samples."""
    weights = [batch_length(part) for part in micro]
    shares = torch.tensor(weights, dtype=torch.float64) / sum(weights)

    def mean(parts: list[Tensor]) -> Tensor:
        stacked = torch.stack([part.detach().reshape(()) for part in parts])
        return (stacked * shares.to(stacked)).sum()

    first = values[0]
    if isinstance(first, Tensor):
        return mean([v for v in values if isinstance(v, Tensor)])
    return {name: mean([v[name] for v in values if not isinstance(v, Tensor)]) for name in first}
