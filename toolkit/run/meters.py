"""What the loop remembers of an epoch: losses and outputs, read from the device as seldom as possible."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from toolkit.errors import VtkError
from toolkit.system.nested import bytes_in, map_tensors, on_cpu

FLUSH_BYTES = 32 << 20
_LOSS = ("loss",)

Weight = Tensor | float
Weights = Mapping[str, Weight]
"""How much a batch counts, by the loss's term; under ``OTHERS`` for the terms that are not named."""

OTHERS = ""


class LossMeter:
    """Weighted sums of an epoch's losses, and the step records that loggers get.

    Losses on a device other than the CPU stay there until :meth:`drain`, so that no step waits for it. The sums are
    made in double precision in step order, so the time of draining changes nothing.
    """

    def __init__(self) -> None:
        self.reset()
        self._pending: list[tuple[int, float, int, tuple[str, ...], tuple[str, ...], tuple[Tensor | float, ...]]] = []
        self._drained_at = time.monotonic()

    def add(
        self,
        step: int,
        loss: Tensor | Mapping[str, Tensor],
        samples: int,
        lr: float,
        norm: Tensor | None,
        weights: Weights | None = None,
    ) -> None:
        """Remember the loss of one step, of ``samples`` samples, or of the ``weights`` that it tells itself."""
        names: tuple[str, ...] = _LOSS
        values: tuple[Tensor | float, ...]
        if isinstance(loss, Tensor):
            values = (_kept(loss),)
        else:
            names = ("loss", *loss)
            values = (_kept(torch.stack([v.detach() for v in loss.values()]).sum()), *map(_kept, loss.values()))
        if norm is not None:
            names, values = (*names, "grad_norm"), (*values, _kept(norm))
        weighed: tuple[str, ...] = ()
        if weights is not None:
            weighed, values = tuple(weights), (*values, *map(_kept_weight, weights.values()))
        self._pending.append((step, lr, samples, names, weighed, values))

    def due(self, seconds: float = 1.0) -> bool:
        """Whether it is time to drain."""
        return time.monotonic() - self._drained_at >= seconds

    def drain(self) -> list[dict[str, float]]:
        """Read what is pending into the sums; returns one record for each step."""
        self._drained_at = time.monotonic()
        pending, self._pending = self._pending, []
        if not pending:
            return []
        numbers = iter(_read([v for *_, values in pending for v in values]))
        records = []
        for step, lr, samples, names, weighed, _values in pending:
            record = dict(zip(names, numbers, strict=False))
            self._sum(record, samples, {name: _sound(next(numbers)) for name in weighed})
            records.append({"step": step, "lr": lr, **record})
        return records

    def _sum(self, record: dict[str, float], samples: int, own: Mapping[str, float]) -> None:
        sums = self.sums
        self.weight += samples
        for name in own:
            self.weights[name] = self.weights.get(name, 0.0) + own[name]
        for name, value in record.items():
            weight = samples if name == "grad_norm" else own.get(name, own.get(OTHERS, samples))
            # What stands for nothing may be no number: the mean over no pixel.
            sums[name] = sums.get(name, 0.0) + (weight * value if weight else 0.0)

    def means(self) -> dict[str, float]:
        """Means of everything drained so far over the epoch's samples, or over what the loss weighs."""
        if not self.weight:
            return {}
        found = {name: _ratio(value, self._weight(name)) for name, value in self.sums.items()}
        if len(self.weights) > 1:  # the terms are means over different things
            found["loss"] = sum(value for name, value in found.items() if name not in ("loss", "grad_norm"))
        return found

    def _weight(self, name: str) -> float:
        own = self.weights
        return self.weight if name == "grad_norm" else own.get(name, own.get(OTHERS, self.weight))

    def reset(self) -> None:
        """Begin a new epoch."""
        self.sums: dict[str, float] = {}
        self.weight = 0.0
        self.weights: dict[str, float] = {}

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint needs. Drain first."""
        return {"sums": dict(self.sums), "weight": self.weight, "weights": dict(self.weights)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of :meth:`state_dict`."""
        self.sums, self.weight = dict(state["sums"]), float(state["weight"])
        self.weights = dict(state.get("weights", {}))


class OutputBuffer:
    """Outputs and targets on their way to the metrics, which take them many batches at a time.

    Keeping them costs a step two list appends; updating a torchmetrics collection each step costs ten times as much.
    Metrics sum in single precision, so what they are given at once decides the last bits. Joined tensors are therefore
    handed over when they fill the buffer and at no other time: a checkpoint keeps those that wait.
    """

    def __init__(self, metrics: Any) -> None:
        self.metrics = metrics
        self._clear()
        self._updated = False

    def _clear(self) -> None:
        self._outputs: list[Any] = []
        self._targets: list[Any] = []
        self._bytes = 0
        # What waited when the run's checkpoint was made, joined.
        self._before: tuple[Tensor, Tensor] | None = None

    def add(self, output: Any, targets: Any) -> None:
        """Keep one batch."""
        self._outputs.append(_detached(output))
        self._targets.append(_detached(targets))
        self._bytes += bytes_in(output)
        if self._bytes > FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Hand everything kept to the metrics."""
        outputs, targets, before, waiting = self._outputs, self._targets, self._before, self._waiting()
        if before is None and not outputs:
            return
        self._clear()
        self._updated = True
        if waiting is not None:
            self.metrics.update(*waiting)
            return
        if before is not None:
            self.metrics.update(*before)
        joined = joined_outputs(outputs), joined_outputs(targets)
        if joined[0] is not None and joined[1] is not None:
            self.metrics.update(*joined)
            return
        for output, target in zip(outputs, targets, strict=True):
            self.metrics.update(on_cpu(output), on_cpu(target))

    def _waiting(self) -> tuple[Tensor, Tensor] | None:
        """What is kept, joined; None where nothing is, or what cannot be joined to tensors."""
        pairs = [] if self._before is None else [self._before]
        if self._outputs:
            joined = joined_outputs(self._outputs), joined_outputs(self._targets)
            if not (isinstance(joined[0], Tensor) and isinstance(joined[1], Tensor)):
                return None
            pairs.append((joined[0], joined[1]))
        if not pairs or any(a.shape[1:] != b.shape[1:] for a, b in zip(pairs[0], pairs[-1], strict=True)):
            return None
        return torch.cat([output for output, _ in pairs]), torch.cat([target for _, target in pairs])

    def compute(self) -> dict[str, float]:
        """The metrics of everything added since the last reset, by name."""
        self.flush()
        if not self._updated:
            return {}
        return {name: scalar(value) for name, value in self.metrics.compute().items()}

    def reset(self) -> None:
        """Begin a new epoch."""
        self._clear()
        self._updated = False
        self.metrics.reset()

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint in the middle of an epoch needs."""
        waiting = self._waiting()
        if waiting is None:
            self.flush()
        self.metrics.persistent(True)
        state = {name: value.clone() if isinstance(value, Tensor) else value for name, value in self._states().items()}
        return {"metrics": state, "updated": self._updated, "waiting": waiting, "bytes": self._bytes}

    def _states(self) -> dict[str, Any]:
        return dict(self.metrics.state_dict())

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of :meth:`state_dict`."""
        self.reset()
        self._updated = bool(state["updated"])
        if state.get("waiting") is not None:
            output, targets = state["waiting"]
            self._before, self._bytes = (output, targets), int(state["bytes"])
        if not self._updated:
            return
        self.metrics.persistent(True)
        self.metrics.load_state_dict(state["metrics"])
        for metric in self.metrics.values(copy_state=False):
            metric._update_count = max(metric._update_count, 1)


def _kept(value: Tensor) -> Tensor | float:
    """A scalar as it waits to be read: a number already where nobody has to wait for it."""
    return value.item() if value.is_cpu else value.detach()


def _read(values: list[Tensor | float]) -> list[float]:
    """The scalars as numbers, with one wait for the device."""
    waiting = [v.reshape(()).float() for v in values if isinstance(v, Tensor)]
    if not waiting:
        return values  # type: ignore[return-value]
    numbers = iter(torch.stack(waiting).tolist())
    return [float(next(numbers)) if isinstance(v, Tensor) else v for v in values]


def _kept_weight(value: Weight) -> Tensor | float:
    return _kept(value) if isinstance(value, Tensor) else float(value)


def _sound(weight: float) -> float:
    if 0 <= weight < math.inf:
        return weight
    raise VtkError(
        f"batch_weight of the loss from vtk_loss returned {weight}",
        hint="The weight of a batch is finite and not negative.",
    )


def _ratio(total: float, weight: float) -> float:
    return total / weight if weight else math.nan


def _detached(value: Any) -> Any:
    return value.detach() if isinstance(value, Tensor) else map_tensors(value, Tensor.detach)


def joined_outputs(values: list[Any]) -> Tensor | list[Any] | None:
    """Batches joined, float32 on the CPU: tensors along their first dimension, lists with an entry for each sample.

    None where they are neither tensors of one shape nor lists.
    """
    if all(isinstance(v, list) for v in values):
        return [on_cpu(sample) for batch in values for sample in batch]
    if not all(isinstance(v, Tensor) and v.dim() > 0 and v.shape[1:] == values[0].shape[1:] for v in values):
        return None
    joined = torch.cat(values).cpu()
    return joined.float() if joined.is_floating_point() else joined


def scalar(value: Any) -> float:
    """A metric's value as a float; the mean where a metric gives one value for each class."""
    number = value.float().mean().item() if isinstance(value, Tensor) else float(value)
    return number if math.isfinite(number) else float("nan")


def batch_length(batch: Any) -> int:
    """Samples in a batch: the length of its first part that has one, else 1."""
    parts = batch if isinstance(batch, tuple) or not isinstance(batch, Mapping) else batch.values()
    for part in parts:
        if isinstance(part, Tensor):
            if part.dim():
                return len(part)
        elif hasattr(part, "__len__") and not isinstance(part, str):
            return len(part)
    return 1
