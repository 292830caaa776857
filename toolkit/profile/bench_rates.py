"""Samples a second: of the data path alone, of the model alone, and of both as in training."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from toolkit.profile.bench_result import Rate
from toolkit.profile.timers import PREPARE, STEP_PARTS, clocks_in, synchronize
from toolkit.run.batches import training_batches, with_samples
from toolkit.run.loop import samples_in

if TYPE_CHECKING:
    from toolkit.data.loading.loaders import Loader
    from toolkit.run.run import Run

__all__ = ["batches_of", "data_rate", "model_rate", "one_batch", "whole_parts", "whole_rate"]

_FEWEST = 2


@contextmanager
def batches_of(run: Run, loader: Loader) -> Iterator[Iterator[Any]]:
    """What each step consumes, by this loader; steps without samples, whose images cannot be read, are left out."""
    before, run.loader = run.loader, loader
    try:
        with closing(training_batches(run)) as batches:
            yield with_samples(batches)
    finally:
        run.loader = before


def data_rate(run: Run, loader: Loader, seconds: float) -> Rate:
    """Batches ready on the device, as fast as the loader gives them."""
    with batches_of(run, loader) as batches:
        # What workers prepare before the clock starts must not count, so that many batches go first.
        _timed(run, lambda: samples_in(next(batches)), seconds / 4, most=2 * max(loader.count, 1))
        return _timed(run, lambda: samples_in(next(batches)), seconds)


def one_batch(run: Run) -> Any:
    """The first batch, on the device and transformed."""
    with batches_of(run, run.loader) as batches:
        return next(batches)


def model_rate(run: Run, batch: Any, seconds: float) -> Rate:
    """Optimizer steps on one batch."""
    count = samples_in(batch)

    def one() -> int:
        run.hook.vtk_step(run=run, batch=batch)
        return count

    one()
    rate = _timed(run, one, seconds)
    if run.outputs is not None:
        run.outputs.reset()
    return rate


def whole_parts(run: Run, seconds: float) -> tuple[Rate, dict[str, float]]:
    """The whole with clocks in it."""
    with clocks_in(run) as clocks:
        rate = whole_rate(run, seconds, around=lambda fetch: clocks.around(PREPARE, fetch), begin=clocks.reset)
        taken = clocks.read()
    return rate, {name: taken[name] / rate.batches for name in STEP_PARTS if name in taken}


def whole_rate(
    run: Run,
    seconds: float,
    around: Callable[[Callable[[], Any]], Callable[[], Any]] = lambda fetch: fetch,
    begin: Callable[[], None] = lambda: None,
) -> Rate:
    """Steps as in training, each with a batch of its own."""
    with batches_of(run, run.loader) as batches:
        fetch = around(lambda: next(batches))

        def one() -> int:
            batch = fetch()
            run.hook.vtk_step(run=run, batch=batch)
            return samples_in(batch)

        one()
        begin()
        rate = _timed(run, one, seconds)
    if run.outputs is not None:
        run.outputs.reset()
    return rate


def _timed(run: Run, one: Callable[[], int], seconds: float, most: int | None = None) -> Rate:
    """Repeat until the time is over, at least twice."""
    samples = batches = 0
    synchronize(run.device)
    start = now = time.perf_counter()
    while most is None or batches < most:
        run.interrupt.check()
        samples += one()
        batches += 1
        now = time.perf_counter()
        if now - start >= seconds and batches >= _FEWEST:
            break
    synchronize(run.device)
    elapsed = max(time.perf_counter() - start, 1e-9)
    return Rate(samples / elapsed, batches, elapsed)
