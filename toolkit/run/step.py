"""The core's answer to ``vtk_step``: one optimizer step, always through a closure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from toolkit.errors import ExitCode, VtkError
from toolkit.run.errors import loss_error
from toolkit.run.loss_weights import Shares

if TYPE_CHECKING:
    from toolkit.run.meters import OutputBuffer
    from toolkit.run.run import Run

LossValue = Tensor | Mapping[str, Tensor]
_NOT_YET = object()


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
    step = _Accumulated(run, batch) if isinstance(batch, MicroBatches) else _Single(run, batch)
    try:
        if run.scaler is None:
            run.optimizer.step(step.closure)  # type: ignore[arg-type]
        else:
            _scaled_step(run, step.closure)
    except (TypeError, AttributeError, RuntimeError) as error:
        if step.value is not _NOT_YET and (fault := loss_error(run, step.value)) is not None:
            raise fault from error
        raise
    if run.outputs is not None:
        step.keep_outputs(run.outputs)
    return step.loss()


class _Single:
    """One batch, one step. The closure may be called repeatedly; the last call counts."""

    __slots__ = ("batch", "output", "run", "value")

    def __init__(self, run: Run, batch: Any) -> None:
        self.run, self.batch = run, batch
        self.output: Any = None
        self.value: Any = _NOT_YET

    def closure(self) -> Tensor:
        """Forward and backward; returns the loss."""
        run = self.run
        scaler = run.scaler
        clear_gradients(run.optimizer)
        self.output, value = _forward(run, self.batch)
        self.value = value
        loss = value if isinstance(value, Tensor) else total_loss(value)
        (loss if scaler is None else scaler.scale(loss)).backward()
        _check_finite(run, loss)
        if scaler is None:
            _clip(run)
        return loss

    def loss(self) -> LossValue:
        """The loss or its named terms."""
        return self.value  # type: ignore[no-any-return]

    def keep_outputs(self, buffer: OutputBuffer) -> None:
        """Hand the outputs to the training metrics."""
        buffer.add(self.output, targets_of(self.batch))


class _Accumulated:
    """Several batches, one step, as if they were one batch."""

    def __init__(self, run: Run, batches: MicroBatches) -> None:
        self.run, self.batches = run, batches
        self.shares = Shares(run.loss, batches)
        self.outputs: list[Any] = []
        self.value: Any = _NOT_YET
        self.values: list[LossValue] = []

    def closure(self) -> Tensor:
        """Forward and backward for each batch; returns the loss of all of them as one."""
        run = self.run
        self.outputs, self.values, losses = [], [], []
        clear_gradients(run.optimizer)
        for place, batch in enumerate(self.batches):
            output, self.value = _forward(run, batch)
            weighted = self.shares.total(self.value, place)
            (weighted if run.scaler is None else run.scaler.scale(weighted)).backward()
            losses.append(weighted.detach())
            self.outputs.append(output)
            self.values.append(self.value)
        total = torch.stack(losses).sum()
        _check_finite(run, total)
        if run.scaler is None:
            _clip(run)
        return total

    def loss(self) -> LossValue:
        """The mean loss, or the mean of each named term."""
        return _mean_terms(self.values, self.shares)

    def keep_outputs(self, buffer: OutputBuffer) -> None:
        """Hand the outputs to the training metrics."""
        for output, batch in zip(self.outputs, self.batches, strict=True):
            buffer.add(output, targets_of(batch))


def clear_gradients(optimizer: torch.optim.Optimizer) -> None:
    """``optimizer.zero_grad()``. torch's own opens a profiler record each time, which costs more than a small layer."""
    if getattr(optimizer.zero_grad, "__func__", None) is not torch.optim.Optimizer.zero_grad:
        optimizer.zero_grad()
        return
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = None


def _forward(run: Run, batch: Any) -> tuple[Any, Any]:
    """The model's output, and the loss as the task gave it."""
    precision = run.precision
    if precision is None or precision.name == "fp32":
        output = run.model(inputs_of(batch))
        value = run.loss(output, batch)
    else:
        with precision.autocast():
            output = run.model(inputs_of(batch))
            value = run.loss(output, batch)
    return output, value


def _check_finite(run: Run, loss: Tensor) -> None:
    """Stop before the update where reading is free; elsewhere keep the poisoned update from being applied."""
    if loss.is_cpu:
        value = loss.item()
        if not math.isfinite(value):
            raise NonFiniteLoss(run.step, value)
    elif run.scaler is None and getattr(run.optimizer, "_step_supports_amp_scaling", False):
        # Fused optimizers skip the update on the device where this flag is set; the loop raises when it reads the loss.
        run.optimizer.found_inf = (~torch.isfinite(loss)).float()  # type: ignore[attr-defined]
    elif run.scaler is None and not math.isfinite(value := loss.item()):
        raise NonFiniteLoss(run.step, value)


def _clip(run: Run) -> None:
    """Scale gradients down to the recipe's limit; the norm before is kept for the log."""
    train = run.recipe.train
    if train.clip_norm is None and not train.log_grad_norm:
        return
    parameters = [p for group in run.optimizer.param_groups for p in group["params"]]
    if train.clip_norm is not None:
        run.grad_norm = torch.nn.utils.clip_grad_norm_(parameters, train.clip_norm)
    else:
        run.grad_norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])


def _scaled_step(run: Run, closure: Any) -> None:
    """A gradient scaler looks at the gradients between backward and step, so the closure runs before the step."""
    closure()
    run.scaler.unscale_(run.optimizer)
    _clip(run)
    run.scaler.step(run.optimizer)
    run.scaler.update()


def inputs_of(batch: Any) -> Any:
    """What the model is fed: the batch's ``inputs``, first item, or ``input`` key."""
    # Asking for an abstract class is slow, so the common case is asked first, here and below.
    return batch[0] if isinstance(batch, tuple) or not isinstance(batch, Mapping) else batch["input"]


def targets_of(batch: Any) -> Any:
    """What metrics compare with: the batch's second item or ``target`` key, or None."""
    if not isinstance(batch, tuple) and isinstance(batch, Mapping):
        return batch.get("target")
    return batch[1] if len(batch) > 1 else None


def total_loss(value: LossValue) -> Tensor:
    """A loss, or the sum of its named terms."""
    if isinstance(value, Tensor):
        return value
    return torch.stack([v.reshape(()) for v in value.values()]).sum()


def _mean_terms(values: list[LossValue], shares: Shares) -> LossValue:
    """The batches' losses as one, each weighted by its share."""
    first = values[0]
    if isinstance(first, Tensor):
        return shares.mean("loss", [v for v in values if isinstance(v, Tensor)])
    return {name: shares.mean(name, [v[name] for v in values if not isinstance(v, Tensor)]) for name in first}
