"""Images that cannot be read: what a dataset and its loader say of them where a recipe leaves them out.

A sample is never replaced by another one. A batch of which something is left out has fewer samples, perhaps none; how
many batches a pass has does not change.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from toolkit.types.data import Batch

__all__ = ["Incomplete", "Lacking", "OnBadImage", "Skipped", "incomplete", "is_empty", "left_out", "without_samples"]

OnBadImage = Literal["error", "skip"]


class Skipped(NamedTuple):
    """One image that was left out: its file, and why, as in "the file is truncated"."""

    path: str
    reason: str


class Incomplete(Batch):
    """A batch of which samples were left out.

    Attributes:
        places: which of the samples asked for it holds, ascending.
        skipped: the others.
    """

    places: tuple[int, ...] = ()
    skipped: tuple[Skipped, ...] = ()

    def pin_memory(self) -> Incomplete:
        """The same in page-locked memory; torch's loader asks for it."""
        from torch.utils.data._utils import pin_memory

        pin: Any = pin_memory.pin_memory
        return incomplete(pin(Batch(*self)), self.places, self.skipped)


def incomplete(batch: Batch, places: Sequence[int], skipped: Sequence[Skipped]) -> Incomplete:
    """The batch as one that lacks something."""
    made = Incomplete(*batch)
    made.places, made.skipped = tuple(places), tuple(skipped)
    return made


class Lacking(NamedTuple):
    """A batch of any form on its way from a worker, with what was left out of it."""

    batch: Any
    skipped: tuple[Skipped, ...]

    def pin_memory(self) -> Lacking:
        """The same in page-locked memory; torch's loader asks for it."""
        from torch.utils.data._utils import pin_memory

        pin: Any = pin_memory.pin_memory
        return Lacking(pin(self.batch), self.skipped)


def left_out(batch: Any) -> tuple[Any, tuple[Skipped, ...]]:
    """A batch as the model gets it, and what it lacks."""
    if isinstance(batch, Lacking):
        return batch
    return batch, batch.skipped if isinstance(batch, Incomplete) else ()


def without_samples(batch: Incomplete) -> Incomplete:
    """The batch with the samples that are left taken out as well; they are no unreadable ones."""
    rest = Batch(*(part if part is None else part[:0] for part in batch))
    return incomplete(rest, (), batch.skipped)


def is_empty(batch: Any) -> bool:
    """Whether all of a batch's samples were left out."""
    return isinstance(batch, Incomplete) and not batch.places
