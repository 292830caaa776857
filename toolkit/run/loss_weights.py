"""Over what a loss is a mean: the samples of its batch, or a weight that it tells by itself.

A mean of batch means is the mean of the whole only if each batch counts as much as it stands for. A loss whose mean
goes over something else than samples (weights of classes, pixels that are not ignored) has ``batch_weight(batch)``;
with it an epoch's loss does not depend on the batch size, and accumulated gradients are those of one large batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from toolkit.hooks.results import type_name, wrong_answer
from toolkit.run.meters import OTHERS, Weight, Weights, batch_length

_WANTED = "give a number or a scalar tensor, a mapping of the loss's terms to such, or None for the number of samples"


def weigher(loss: Any) -> Callable[[Any], Weights] | None:
    """The weights of one batch by term, as the loss tells them; None where its means go over samples."""
    own = getattr(loss, "batch_weight", None)
    return None if own is None else lambda batch: _named(own(batch), batch)


def step_weights(weigh: Callable[[Any], Weights], parts: Sequence[Any]) -> Weights:
    """The weights of a step's batches together."""
    found = [weigh(part) for part in parts]
    return found[0] if len(found) == 1 else {name: sum(column) for name, column in _columns(found).items()}


class Shares:
    """How much each batch of a step counts, term by term, for all of them to be as one batch.

    Args:
        loss: what ``vtk_loss`` returned.
        parts: the batches, at least one.
    """

    def __init__(self, loss: Any, parts: Sequence[Any]) -> None:
        weigh = weigher(loss) or (lambda part: {OTHERS: batch_length(part)})
        self._of = {name: _shares(column) for name, column in _columns([weigh(part) for part in parts]).items()}

    def of(self, term: str) -> list[Weight]:
        """The batches' shares of a term; their sum is 1."""
        return self._of.get(term, self._of[OTHERS])

    def total(self, value: Tensor | Mapping[str, Tensor], place: int) -> Tensor:
        """What the batch at ``place`` adds to the step's loss."""
        if isinstance(value, Tensor):
            return value * self.of("loss")[place]
        return torch.stack([term.reshape(()) * self.of(name)[place] for name, term in value.items()]).sum()

    def mean(self, term: str, parts: Sequence[Tensor]) -> Tensor:
        """The batches' values of a term as one, without gradient."""
        stacked = torch.stack([part.detach().reshape(()) for part in parts])
        shares = torch.stack([torch.as_tensor(share, dtype=torch.float32) for share in self.of(term)])
        return (stacked * shares.to(stacked)).sum()


def _named(found: Any, batch: Any) -> Weights:
    """What ``batch_weight`` gave, by term; samples where it gave none.

    Raises:
        VtkError: it gave no weight.
    """
    weights = found if isinstance(found, Mapping) else {OTHERS: found}
    for value in weights.values():
        if not (isinstance(value, int | float | None) or (isinstance(value, Tensor) and value.numel() == 1)):
            raise wrong_answer(f"batch_weight of the loss from vtk_loss returned {type_name(value)}", _WANTED)
    samples = batch_length(batch)
    named = {name: samples if value is None else _plain(value) for name, value in weights.items()}
    return named if OTHERS in named else {OTHERS: samples, **named}


def _plain(weight: Any) -> Weight:
    return weight.detach().reshape(()) if isinstance(weight, Tensor) else weight


def _columns(found: Sequence[Weights]) -> dict[str, list[Weight]]:
    """The batches' weights of each term."""
    names = dict.fromkeys(name for weights in found for name in weights)
    return {name: [weights.get(name, weights[OTHERS]) for weights in found] for name in names}


def _shares(weights: Sequence[Weight]) -> list[Weight]:
    """Parts of their sum; all zero where the sum is."""
    total = sum(weights)
    if isinstance(total, Tensor):
        total = total.clamp(min=torch.finfo(torch.float32).tiny)
    return [weight / total for weight in weights] if isinstance(total, Tensor) or total else [0.0 for _ in weights]
