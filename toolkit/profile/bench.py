"""How fast a recipe trains on this machine, and what holds it back. Read :func:`measure` first.

Nothing of it is kept: the run's directory vanishes, the weights are thrown away. It works for every task, since it
times only what every step does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from toolkit.errors import VtkError
from toolkit.models.freeze import set_train_mode
from toolkit.profile.bench_advice import advise
from toolkit.profile.bench_rates import data_rate, model_rate, one_batch, whole_parts, whole_rate
from toolkit.profile.bench_result import Bench
from toolkit.profile.bench_trials import try_others
from toolkit.profile.data_profile import fetch_parts
from toolkit.run.loop import enter_stage, samples_in
from toolkit.run.setup import build_data, build_model, new_run

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from toolkit.recipe.resolved import ResolvedRecipe
    from toolkit.run.run import Run
    from toolkit.system.signals import Interrupt

_SHARES = {"data": 0.15, "model": 0.15, "whole": 0.25, "trials": 0.45}


def measure(
    resolved: ResolvedRecipe,
    *,
    console: Console,
    directory: Path,
    seconds: float,
    say: Callable[[str], None],
    interrupt: Interrupt,
) -> Bench:
    """Measure a recipe's first stage for about ``seconds``; no part is cut below two steps.

    Args:
        directory: an empty folder that the caller removes again.
        say: told what is measured.
        interrupt: asked between steps.
    """
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


def _measure_whole(run: Run, found: Bench, seconds: float) -> None:
    """Rate and parts; in one go on the CPU, where clocks wait for nobody."""
    if run.device.type == "cpu":
        found.whole, found.step_parts = whole_parts(run, seconds)
    else:
        found.whole = whole_rate(run, seconds * 0.6)
        found.step_parts = whole_parts(run, seconds * 0.4)[1]
