"""The core's loader: an order of samples, and workers that fetch them."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import Any, Literal

from toolkit.data.loading.bad_images import OnBadImage, Skipped, left_out
from toolkit.data.loading.sampler import SampleOrder
from toolkit.data.loading.workers import Batches, Fetch, InCaller, InProcesses, InThreads, Workers
from toolkit.errors import VtkError
from toolkit.types.data import IndexBatch

__all__ = ["Loader", "build_loader", "choose_workers"]

Kind = Literal["auto", "thread", "process"]
OnSkip = Callable[[Sequence[Skipped]], None]

_MOST_WORKERS = 16
_FEW_BATCHES = 4


class Loader:
    """Batches of a dataset, one pass or without end, from any point on.

    Equal seeds give equal batches, to the bit, whoever fetches them. A generator may be closed at any time;
    closing the loader (or leaving its ``with`` block) ends the workers.
    """

    def __init__(
        self, order: SampleOrder, workers: Workers, *, count: int, kind: str, on_skip: OnSkip | None = None
    ) -> None:
        self.on_skip = on_skip
        self.order = order
        self.count = count
        self.kind = kind
        self._workers = workers

    def __len__(self) -> int:
        """Batches in one pass."""
        return len(self.order)

    def batches(self, number: int = 0, start: int = 0) -> Generator[Any, None, None]:
        """Batches without end: pass ``number`` from batch ``start`` on, then the next passes.

        Workers run ahead over the end of a pass, so that a new one begins without a wait.
        """
        return self._told(self._workers.run(self.order.passes(number, start)))

    def once(self, number: int = 0) -> Generator[Any, None, None]:
        """The batches of one pass."""
        return self._told(self._workers.run(self.order.one_pass(number)))

    def _told(self, batches: Batches) -> Batches:
        """The batches; what was left out of one is told when its turn comes, however early it was fetched."""
        with closing(batches):
            for fetched in batches:
                batch, skipped = left_out(fetched)
                if self.on_skip is not None and skipped:
                    self.on_skip(skipped)
                yield batch

    def death(self, error: RuntimeError) -> VtkError | None:
        """What to tell of ``error`` if it says that one of this loader's processes died."""
        return self._workers.death(error) if isinstance(self._workers, InProcesses) else None

    def require_shared_memory(self) -> None:
        """Refuse worker processes without room for the batches that they keep ready; reads one batch where it is tight.

        Raises:
            VtkError: there is too little shared memory (exit code 74).
        """
        if isinstance(self._workers, InProcesses):
            self._workers.require_shared_memory(next(self.order.one_pass(0)))

    def close(self) -> None:
        self._workers.close()

    def __enter__(self) -> Loader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def describe(self) -> str:
        """Who prepares the batches, in words."""
        if not self.count:
            return "in the training thread"
        return f"by {self.count} {self.kind if self.count == 1 else _PLURALS[self.kind]}"


_PLURALS = {"thread": "threads", "process": "processes"}


def build_loader(
    dataset: Any,
    *,
    batch_size: int,
    seed: int = 0,
    shuffle: bool = False,
    weights: Sequence[float] | None = None,
    drop_last: bool = False,
    join_single: bool = False,
    workers: int | Literal["auto"] = "auto",
    kind: Kind = "auto",
    prefetch: int = 2,
    collate: Callable[[list[Any]], Any] | None = None,
    pin_memory: bool = False,
    start_method: str | None = None,
    on_bad_image: OnBadImage = "error",
    on_skip: OnSkip | None = None,
    on_wait: Callable[[], None] | None = None,
) -> Loader:
    """A loader over a map-style dataset.

    Args:
        dataset: has ``__len__`` and ``__getitem__`` or ``__getitems__``. ``in_memory = True`` on it says that fetching
            is as cheap as copying; ``thread_safe = True`` that several threads may fetch at once.
        batch_size: samples in a batch.
        seed: the run's seed.
        shuffle: a new order for each pass.
        weights: draw with replacement, see :class:`SampleOrder`.
        drop_last: leave out a pass's last batch if it is not full.
        join_single: a last batch of one sample joins the one before it.
        workers: how many; ``auto`` takes none for data in memory, else one for each core that may be used.
        kind: ``auto`` takes threads for datasets that say they are safe for them, else processes.
        prefetch: batches that each worker keeps ready.
        collate: joins samples; torch's ``default_collate`` where None.
        pin_memory: batches come in page-locked memory, for faster copies to a GPU.
        start_method: how worker processes start; the platform's own way where None.
        on_bad_image: ``skip`` leaves out samples for which ``dataset[i]`` raises an ``ImageError``. A dataset with
            ``__getitems__`` leaves out what it likes.
        on_skip: is told which samples a batch lacks, in the thread that asked for the batch; it may raise.
        on_wait: is called every second while a batch of worker processes is awaited; it may raise.
    """
    order = SampleOrder(
        len(dataset),
        batch_size=batch_size,
        seed=seed,
        shuffle=shuffle,
        weights=weights,
        drop_last=drop_last,
        join_single=join_single,
    )
    count, chosen = choose_workers(dataset, workers, kind, batches=len(order))
    fetch = Fetch(dataset, collate, on_bad_image)
    if count and chosen == "process":
        by: Workers = InProcesses(
            fetch, workers=count, prefetch=prefetch, pin_memory=pin_memory, start_method=start_method, on_wait=on_wait
        )
    else:
        by = _by_threads(_Pinned(fetch) if pin_memory else fetch, count, prefetch)
    return Loader(order, by, count=count, kind=chosen, on_skip=on_skip)


def _by_threads(fetch: Callable[[IndexBatch], Any], count: int, prefetch: int) -> InThreads | InCaller:
    return InThreads(fetch, workers=count, ahead=count * prefetch) if count else InCaller(fetch)


def choose_workers(
    dataset: Any, workers: int | Literal["auto"], kind: Kind, *, batches: int
) -> tuple[int, Literal["thread", "process"]]:
    """How many workers, and of which kind, for this dataset on this machine."""
    safe = bool(getattr(dataset, "thread_safe", False))
    chosen: Literal["thread", "process"] = kind if kind != "auto" else "thread" if safe else "process"
    if workers != "auto":
        return workers, chosen
    if getattr(dataset, "in_memory", False) or (chosen == "process" and batches <= _FEW_BATCHES):
        return 0, chosen
    return min(usable_cores(), _MOST_WORKERS), chosen


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Pinned:
    """Copies what another fetcher returns to page-locked memory."""

    def __init__(self, fetch: Callable[[IndexBatch], Any]) -> None:
        self._fetch = fetch

    def __call__(self, indices: IndexBatch) -> Any:
        from torch.utils.data._utils import pin_memory

        pin: Any = pin_memory.pin_memory
        return pin(self._fetch(indices))
