"""Who fetches batches: the caller, threads or processes. The batches and their order are the same to the bit."""

from __future__ import annotations

import multiprocessing
import re
import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import wait
from typing import Any, Protocol

from toolkit.data.io.decode import ImageError
from toolkit.data.loading.bad_images import Lacking, OnBadImage, Skipped, incomplete
from toolkit.data.loading.balance import Resampled
from toolkit.errors import ExitCode, VtkError
from toolkit.system.os_errors import os_error, resource_error
from toolkit.types.data import Batch, IndexBatch

__all__ = ["Batches", "Fetch", "InCaller", "InProcesses", "InThreads", "Workers"]

_NAMED = 8
# An error that a process sends home says "in DataLoader worker process 0".
_DEATH = re.compile(r"DataLoader worker \(pid")
_OUTLAST = 120
"""Seconds that a process goes on serving after SIGTERM."""
_LOOK = 1.0
"""Seconds after which whoever waits for a batch looks up."""
_LOOKED_UP = re.compile(r"DataLoader timed out")
_DYING = 5.0
"""Seconds that a process may take to be gone."""

Order = Iterator[IndexBatch]
Batches = Generator[Any, None, None]
Fetcher = Callable[[IndexBatch], Any]


class Workers(Protocol):
    """Turns named batches into batches, in order."""

    def run(self, order: Order) -> Batches: ...

    def close(self) -> None: ...


class Fetch:
    """Fetches one batch from a dataset; picklable if the dataset and ``collate`` are.

    Args:
        dataset: map-style. Where it has ``__getitems__``, that is asked: a list it returns holds samples, still to be
            joined; anything else is a ready batch.
        collate: joins a list of samples; None takes torch's ``default_collate``.
        on_bad_image: ``skip`` leaves out samples for which ``dataset[i]`` raises an ``ImageError``.
    """

    def __init__(
        self,
        dataset: Any,
        collate: Callable[[list[Any]], Any] | None = None,
        on_bad_image: OnBadImage = "error",
    ) -> None:
        self.dataset = dataset
        self.collate = collate
        self._whole = getattr(dataset, "__getitems__", None)
        self._skips = on_bad_image == "skip" and self._whole is None

    def __call__(self, indices: IndexBatch) -> Any:
        try:
            if self._skips:
                return self._readable(indices)
            fetched = self._whole(indices) if self._whole is not None else [self.dataset[index] for index in indices]
            return self._join(fetched) if isinstance(fetched, list) else fetched
        except VtkError:
            raise
        except Exception as error:
            some = ", ".join(map(str, indices.indices[:_NAMED].tolist()))
            error.add_note(
                f"while fetching a batch of {len(indices)}: the samples {some}{', …' * (len(indices) > _NAMED)}"
            )
            raise

    def _readable(self, indices: IndexBatch) -> Any:
        """A batch of the samples that can be read."""
        samples: list[Any] = []
        skipped: list[Skipped] = []
        for index in indices:
            try:
                samples.append(self.dataset[index])
            except ImageError as error:
                skipped.append(Skipped(error.path, error.reason))
        if not samples:
            import torch

            return incomplete(Batch(torch.empty(0)), (), skipped)
        return Lacking(self._join(samples), tuple(skipped)) if skipped else self._join(samples)

    def names(self, indices: IndexBatch) -> list[str]:
        """What a batch consists of, for people: files where the dataset knows them; the first few."""
        dataset, samples = self.dataset, indices.indices
        if isinstance(dataset, Resampled):
            samples = dataset.draw.samples(indices.seed, indices.epoch)[0][samples]
            dataset = dataset.dataset
        paths = getattr(dataset, "paths", None)
        found = [f"sample {i}" if paths is None else str(paths[i]) for i in samples[:_NAMED].tolist()]
        return found + ([f"{len(samples) - _NAMED} more"] if len(samples) > _NAMED else [])

    def _join(self, samples: list[Any]) -> Any:
        if self.collate is None:
            from torch.utils.data import default_collate

            self.collate = default_collate
        return self.collate(samples)


class InCaller:
    """No workers: each batch is fetched when it is asked for."""

    def __init__(self, fetch: Fetcher) -> None:
        self._fetch = fetch

    def run(self, order: Order) -> Batches:
        yield from map(self._fetch, order)

    def close(self) -> None:
        pass


class InThreads:
    """Threads of this process, each fetching a whole batch; ``ahead`` batches are under way or ready at any time.

    An error comes out where its batch would have come, whatever was finished before it.
    """

    def __init__(self, fetch: Fetcher, *, workers: int, ahead: int) -> None:
        self._fetch = fetch
        self._ahead = ahead
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="vtk-loader")

    def run(self, order: Order) -> Batches:
        pending: deque[Future[Any]] = deque()
        try:
            for indices in order:
                pending.append(self._pool.submit(self._fetch, indices))
                if len(pending) >= self._ahead:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


class InProcesses:
    """torch's worker processes, kept from one pass to the next. Nothing here needs fork.

    Args:
        fetch: must be picklable where the start method is not fork.
        workers: processes.
        prefetch: batches that each process keeps ready.
        pin_memory: copy batches to page-locked memory, in a thread of this process.
        start_method: ``fork``, ``spawn``, ``forkserver`` or None for the platform's own.
        on_wait: is called every second while a batch is awaited; it may raise.
    """

    def __init__(
        self,
        fetch: Fetcher,
        *,
        workers: int,
        prefetch: int,
        pin_memory: bool,
        start_method: str | None = None,
        on_wait: Callable[[], None] | None = None,
    ) -> None:
        import torch
        from torch.utils.data import DataLoader

        self._fetch = fetch
        self._count, self._prefetch = workers, prefetch
        self._on_wait = on_wait
        self._order = _Restartable()
        answers: Any = _Answers(fetch, workers, prefetch)
        order: Any = self._order
        self._loader: Any = DataLoader(
            answers,
            batch_sampler=order,
            num_workers=workers,
            collate_fn=_as_is,
            pin_memory=pin_memory,
            prefetch_factor=prefetch,
            persistent_workers=True,
            timeout=_LOOK,
            worker_init_fn=_start_worker,
            generator=torch.Generator(),  # DataLoader would draw its base seed from the global one
            multiprocessing_context=start_method,
        )

    def run(self, order: Order) -> Batches:
        self._order.begin(order)
        try:
            for answer in self._answers(self._begun()):
                self._order.answered += 1
                if isinstance(answer, _Failure):
                    raise answer.error
                yield answer
        except (RuntimeError, ConnectionError, EOFError) as error:
            death = self.death(error)
            if death is None:
                raise
            raise death from error

    def require_shared_memory(self, indices: IndexBatch) -> None:
        """Refuse what :func:`toolkit.data.loading.shared_memory.share` would refuse later, judged by one batch.

        Raises:
            VtkError: there is too little shared memory (exit code 74), or the batch cannot be had.
        """
        from toolkit.data.loading.shared_memory import is_tight, require_shared_memory, shared_bytes

        if is_tight():
            batch = self._fetch(indices)
            require_shared_memory(shared_bytes(batch), workers=self._count, prefetch=self._prefetch)

    def _begun(self) -> Any:
        """torch's iterator over a pass; where not all of its processes can be started, those that were are ended."""
        before = set(multiprocessing.active_children())
        try:
            return iter(self._loader)
        except BaseException:
            for process in set(multiprocessing.active_children()) - before:
                process.kill()
            raise

    def _answers(self, iterator: Any) -> Batches:
        while True:
            try:
                answer = next(iterator)
            except StopIteration:
                return
            except RuntimeError as error:
                if not _LOOKED_UP.match(str(error)):
                    raise
                if self._on_wait is not None:
                    self._on_wait()
                continue
            yield answer

    def death(self, error: Exception) -> VtkError | None:
        """What to tell of an error that says that a worker process died; None for any other error.

        torch raises it in the main thread as soon as the system tells of the death, whatever that thread is doing.
        A process that dies while it hands a batch over shows as a broken connection before.
        """
        first_line = next(iter(str(error).splitlines()), "")
        if isinstance(error, ConnectionError | EOFError):
            # A dying process closes its connections a moment before it is gone.
            processes = {process.sentinel: str(process.pid) for process in self._processes()}
            dead = [processes[sentinel] for sentinel in wait(list(processes), _DYING)] if processes else []
            first_line = f"DataLoader worker (pid {', '.join(dead)}) broke off in the middle of a batch" if dead else ""
        if not _DEATH.search(first_line):
            return None
        if "Bus error" in first_line:
            return resource_error(error)
        return VtkError(
            f"a loader process died: {first_line}{self._last_batch(first_line)}",
            hint="Often too little memory: lower loader.workers, or set loader.kind to thread. "
            "If it happens again at the same files, look at them.",
            code=ExitCode.UNAVAILABLE,
        )

    def _processes(self) -> list[Any]:
        return list(getattr(self._loader._iterator, "_workers", []))

    def _last_batch(self, message: str) -> str:
        """The files of the oldest batch that the dead process owed."""
        pids = {int(number) for number in re.findall(r"\d+", message)}
        dead = [place for place, process in enumerate(self._processes()) if process.pid in pids]
        # torch deals batches out in turns.
        owed = [batch for number, batch in self._order.pending() if not dead or number % self._count in dead]
        names = getattr(self._fetch, "names", None)
        return f"\n  it was at, or close to: {', '.join(names(owed[0]))}" if owed and names is not None else ""

    def close(self) -> None:
        iterator = self._loader._iterator
        if iterator is None:
            return
        self._loader._iterator = None
        try:
            iterator._shutdown_workers()
        except RuntimeError as error:
            # Told again of a process that died before: each process that ends makes torch look at all of them.
            if self.death(error) is None:
                raise
        finally:
            for process in iterator._workers:
                if process.is_alive():
                    process.kill()


class _Restartable:
    """The batch sampler that the DataLoader asks anew at each pass."""

    def __init__(self) -> None:
        self.answered = 0
        self._order: Order = iter(())
        self._sent: deque[tuple[int, IndexBatch]] = deque()

    def begin(self, order: Order) -> None:
        """The next pass is ``order``."""
        self._order, self.answered = order, 0
        self._sent.clear()

    def __iter__(self) -> Order:
        for number, batch in enumerate(self._order):
            while self._sent and self._sent[0][0] < self.answered:
                self._sent.popleft()
            self._sent.append((number, batch))
            yield batch

    def pending(self) -> list[tuple[int, IndexBatch]]:
        """The batches that were asked for and not answered, numbered from the start of the pass."""
        return [(number, batch) for number, batch in self._sent if number >= self.answered]


class _Failure:
    """An error on its way home; torch would rebuild it from its text and lose place, hint and code."""

    def __init__(self, error: Exception) -> None:
        self.error = error


class _Answers:
    """What a worker process sees as its dataset."""

    def __init__(self, fetch: Fetcher, workers: int, prefetch: int) -> None:
        self._fetch, self._workers, self._prefetch = fetch, workers, prefetch

    def __getitems__(self, indices: IndexBatch) -> Any:
        from toolkit.data.loading.shared_memory import share

        try:
            return share(self._fetch(indices), workers=self._workers, prefetch=self._prefetch)
        except VtkError as error:
            return _Failure(error)
        except Exception as error:
            # Rebuilt from its text in the main process, it would have lost its number and its path.
            told = os_error(error) or resource_error(error)
            if told is None:
                raise
            return _Failure(told)


def _as_is(batch: Any) -> Any:
    return batch


def _start_worker(_: int) -> None:
    from toolkit.data.loading.shared_memory import end_on_lost_batches

    end_on_lost_batches()
    if "cv2" in sys.modules:
        from toolkit.system.opencv import one_thread

        one_thread()
    # Signals often reach the whole process group; only the main process decides what they mean.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "alarm"):
        signal.signal(signal.SIGTERM, _outlast)


def _outlast(_number: int, _frame: Any) -> None:
    """Be there until the main process has ended the step and saved; a second signal, or a long time, ends this one."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.alarm(_OUTLAST)
