"""An exponential moving average of a model's weights."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

__all__ = ["Ema"]


class Ema:
    """A second model whose weights follow those of the first: ``w̄ ← β_t w̄ + (1 - β_t) w`` after each step t.

    ``β_t = min(β, (1 + t) / (10 + t))``, so that the weights of the first steps are soon forgotten; without warm-up it
    is β throughout. Floating-point buffers (running means and variances) are averaged as well, others copied. Polyak
    and Juditsky: Acceleration of Stochastic Approximation by Averaging, 1992; the warm-up is that of TensorFlow.

    Args:
        model: what is followed; the average starts from its present weights.
        decay: ``β`` in (0, 1).
        warmup: begin with a smaller decay.

    Attributes:
        average: a model of the same shape, in evaluation mode, that requires no gradients.
        updates: how often :meth:`update` was called.
    """

    def __init__(self, model: nn.Module, decay: float, *, warmup: bool = True) -> None:
        self.average = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay
        self.warmup = warmup
        self.updates = 0
        self._averaged, self._copied = _pairs(self.average, model)

    @torch.no_grad()
    def update(self) -> None:
        """Take the model's present weights into the average."""
        self.updates += 1
        share = 1 - self.decay_at(self.updates)
        for averages, values in self._averaged:
            torch._foreach_lerp_(averages, values, share)
        for copied, value in self._copied:
            copied.copy_(value)

    def decay_at(self, update: int) -> float:
        """``β_t`` of the given update, counted from 1."""
        return min(self.decay, (1 + update) / (10 + update)) if self.warmup else self.decay


TensorLists = list[tuple[list[Tensor], list[Tensor]]]
TensorPairs = list[tuple[Tensor, Tensor]]


def _pairs(average: nn.Module, model: nn.Module) -> tuple[TensorLists, TensorPairs]:
    """Floating-point tensors by dtype, for one call each, and the others."""
    ours = [*average.parameters(), *average.buffers()]
    theirs = [*model.parameters(), *model.buffers()]
    by_dtype: dict[torch.dtype, tuple[list[Tensor], list[Tensor]]] = {}
    others: TensorPairs = []
    for own, value in zip(ours, theirs, strict=True):
        if own.is_floating_point():
            own_list, value_list = by_dtype.setdefault(own.dtype, ([], []))
            own_list.append(own.detach())
            value_list.append(value.detach())
        else:
            others.append((own, value))
    return list(by_dtype.values()), others
