"""Where the time of fetching a batch goes, as far as a dataset lets that be seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch

from toolkit.data.io.decode import Encoded
from toolkit.data.loading.workers import Fetch
from toolkit.profile.timers import REST, Clocks, replaced

if TYPE_CHECKING:
    from toolkit.run.run import Run

READ, AUGMENT, COLLATE, FETCH = "read and decode", "augment", "collate", "fetch"
_BATCHES = 2


def fetch_parts(run: Run, unknown: dict[str, str]) -> dict[str, float]:
    """Seconds to fetch one training batch in this thread, by part.

    A dataset's ``transform``, or that of a dataset inside it, counts as augmenting; what joins samples as collating;
    everything else as reading. Where a dataset has neither, there is one figure, and ``unknown`` says so.
    """
    clocks = Clocks(torch.device("cpu"))
    dataset = run.data.train
    batches = list(islice(run.loader.order.passes(), _BATCHES + 1))
    with ExitStack() as stack:
        for owner in _with_transforms(dataset):
            stack.enter_context(replaced(owner, "transform", _Timed(clocks, owner.transform)))
        stack.enter_context(replaced(Encoded, "pixels", clocks.around(READ, Encoded.pixels)))
        fetch = Fetch(dataset, clocks.around(COLLATE, run.data.collate or _default_collate()))
        fetch(batches[0])
        clocks.reset()
        for indices in batches[1:]:
            run.interrupt.check()
            fetch(indices)
        taken = clocks.read()
    # A transform may decode what it is given; that counts as reading, as everything does that has no name of its own.
    reading = taken.get(REST, 0.0) + taken.get(READ, 0.0)
    if AUGMENT not in taken:
        unknown["decode and augment, apart"] = "the training set has no `transform` of its own to put a clock around"
    each = {READ if AUGMENT in taken else FETCH: reading, AUGMENT: taken.get(AUGMENT), COLLATE: taken.get(COLLATE)}
    return {name: seconds / _BATCHES for name, seconds in each.items() if seconds is not None}


class _Timed:
    """A transform with a clock around it, and otherwise as it was."""

    def __init__(self, clocks: Clocks, transform: Callable[..., Any]) -> None:
        self._call, self._transform = clocks.around(AUGMENT, transform), transform

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._call(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transform, name)


def _with_transforms(dataset: Any) -> Iterator[Any]:
    """The dataset, and those that it is wrapped around, that apply a transform kept in an attribute."""
    seen: list[int] = []
    while dataset is not None and id(dataset) not in seen:
        seen.append(id(dataset))
        if callable(getattr(dataset, "__dict__", {}).get("transform")):
            yield dataset
        dataset = getattr(dataset, "dataset", None)


def _default_collate() -> Callable[[list[Any]], Any]:
    from torch.utils.data import default_collate

    return default_collate
