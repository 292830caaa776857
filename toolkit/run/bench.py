"""How fast a recipe trains on this machine, and what holds it back. Read :func:`measure` first.

Nothing of it is kept: the run's directory vanishes, the weights are thrown away. It works for every task, since it
times only what every step does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from toolkit.errors import VtkError
from toolkit.models.freeze import set_train_mode
from toolkit.run.batches import training_batches, with_samples
from toolkit.run.clocks import PREPARE, STEP_PARTS, clocks_in, settle
from toolkit.run.fetch_parts import fetch_parts
from toolkit.run.loop import enter_stage, samples_in
from toolkit.run.setup import build_data, build_model, new_run

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from toolkit.data.loaders import Loader
    from toolkit.recipe.resolved import ResolvedRecipe
    from toolkit.run.bench_trials import Trial
    from toolkit.run.run import Run
    from toolkit.run.signals import Interrupt

Say = Callable[[str], None]
_SHARES = {"data": 0.15, "model": 0.15, "whole": 0.25, "trials": 0.45}
_FEWEST = 2


@dataclass
class Rate:
    """Samples a second over ``batches`` optimizer steps that took ``seconds``."""

    per_second: float
    batches: int
    seconds: float


@dataclass
class Bench:
    """What was measured.

    Attributes:
        loader: who prepares the batches, in words.
        samples: samples of one optimizer step.
        data, model, whole: the data path alone, the model alone on a batch that lies ready, and both as in training.
        step_parts: seconds of an optimizer step of the whole, by part.
        fetch_parts: seconds to fetch one batch in one thread, by part.
        trials: other settings, measured.
        advice: what to change, the most useful first; empty where nothing would help.
        unknown: what could not be had, and why.
    """

    recipe: str
    task: str
    demo: bool = False
    device: str = ""
    precision: str = ""
    precision_why: str = ""
    threads: int = 0
    loader: str = ""
    samples: int = 0
    data: Rate | None = None
    model: Rate | None = None
    whole: Rate | None = None
    step_parts: dict[str, float] = field(default_factory=dict)
    fetch_parts: dict[str, float] = field(default_factory=dict)
    trials: list[Trial] = field(default_factory=list)
    advice: list[dict[str, str]] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def limit(self) -> str:
        """Which side alone is the slower, ``data`` or ``model``; empty where one of them is unknown."""
        if self.data is None or self.model is None:
            return ""
        return "data" if self.data.per_second < self.model.per_second else "model"

    @property
    def of_ceiling(self) -> float | None:
        """The whole as a share of the slower side alone: what a perfect overlap of the two would reach."""
        if not self.limit or self.whole is None:
            return None
        ceiling: Rate = getattr(self, self.limit)
        return self.whole.per_second / ceiling.per_second


def measure(
    resolved: ResolvedRecipe, *, console: Console, directory: Path, seconds: float, say: Say, interrupt: Interrupt
) -> Bench:
    """Measure a recipe's first stage for about ``seconds``; no part is cut below two steps.

    Args:
        directory: an empty folder that the caller removes again.
        say: told what is measured.
        interrupt: asked between steps.
    """
    from toolkit.run.bench_advice import advise
    from toolkit.run.bench_trials import try_others

    started = time.monotonic()
    say("building data and model")
    run = ready_run(resolved, console, directory, interrupt)
    found = Bench(resolved.recipe.name or resolved.recipe.task, resolved.recipe.task, resolved.demo)
    assert run.precision is not None
    found.device, found.threads = str(run.device), torch.get_num_threads()
    found.precision, found.precision_why = run.precision.name, run.precision.why
    found.loader = run.loader.describe()
    try:
        say("the data path alone")
        found.data = data_rate(run, run.loader, seconds * _SHARES["data"])
        found.fetch_parts = fetch_parts(run, found.unknown)
        _about_kept(run, found)
        batch = one_batch(run)
        found.samples = samples_in(batch)
        say("the model alone")
        found.model = model_rate(run, batch, seconds * _SHARES["model"])
        say("the whole")
        _measure_whole(run, found, seconds * _SHARES["whole"])
        try_others(run, batch, found, seconds * _SHARES["trials"], say)
    finally:
        run.loader.close()
        if run.val_loader is not None:
            run.val_loader.close()
    advise(run, found)
    found.seconds = time.monotonic() - started
    return found


def _about_kept(run: Run, found: Bench) -> None:
    """Where decoded images are kept, the first epoch is slower than those after it; say which was measured."""
    assert found.data is not None
    if getattr(getattr(run.recipe, "data", None), "cache", "off") == "off":
        return
    passes = found.data.batches * run.recipe.train.accumulate / len(run.loader)
    if passes > 1:
        found.unknown["the first epoch"] = (
            f"the data path was measured over {passes:.1f} epochs; data.cache may keep decoded images from the first on"
        )
    else:
        found.unknown["later epochs"] = (
            f"the data path was measured over {passes:.0%} of the first epoch; where data.cache keeps decoded images, "
            "later ones are faster"
        )


def ready_run(resolved: ResolvedRecipe, console: Console, directory: Path, interrupt: Interrupt) -> Run:
    """A run at the start of its first stage. No pretrained weights are fetched: their values cost no time.

    Raises:
        VtkError: there are no data.
    """
    run = new_run(resolved, console=console, directory=directory)
    run.interrupt = interrupt
    build_data(run)
    if run.data.train is None:
        raise VtkError("there are no training data to measure with", hint="`vtk check RECIPE` says what is missing.")
    run.data.restored = True
    build_model(run)
    enter_stage(run, run.stages[0])
    set_train_mode(run.model)
    return run


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


def _measure_whole(run: Run, found: Bench, seconds: float) -> None:
    """Rate and parts; in one go on the CPU, where clocks wait for nobody."""
    if run.device.type == "cpu":
        found.whole, found.step_parts = whole_parts(run, seconds)
    else:
        found.whole = whole_rate(run, seconds * 0.6)
        found.step_parts = whole_parts(run, seconds * 0.4)[1]


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
    settle(run.device)
    start = now = time.perf_counter()
    while most is None or batches < most:
        run.interrupt.check()
        samples += one()
        batches += 1
        now = time.perf_counter()
        if now - start >= seconds and batches >= _FEWEST:
            break
    settle(run.device)
    elapsed = max(time.perf_counter() - start, 1e-9)
    return Rate(samples / elapsed, batches, elapsed)
