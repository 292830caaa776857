"""Recipe in, finished run out. Read :func:`execute` first."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.errors import ExitCode, VtkError
from toolkit.hooks.loading import exit_error
from toolkit.run.checkpoint.policy import best_store, checkpoint_store, last_step
from toolkit.run.checkpoint.resume import changed_start, take_up
from toolkit.run.checkpoint.seal import seal_data, seal_recipe
from toolkit.run.checkpoint.state_schema import require_form
from toolkit.run.directory import open_directory
from toolkit.run.errors import user_error
from toolkit.run.finish import Finished, finish
from toolkit.run.precision import answers_note
from toolkit.run.setup import prepare
from toolkit.run.status import begin_status, end_status, has_status, read_status
from toolkit.system.allocator import tune_allocator
from toolkit.system.environment import environment
from toolkit.system.files import write_atomic
from toolkit.system.leaving import on_leaving
from toolkit.system.log import log_said
from toolkit.system.process import alone
from toolkit.system.signals import Interrupted, catch_signals

if TYPE_CHECKING:
    from rich.console import Console

    from toolkit.hooks.trace import HookTrace
    from toolkit.recipe.resolved import ResolvedRecipe
    from toolkit.run.run import Run

TRACE = "hooks.json"


@dataclass
class Outcome:
    """What a run left behind. ``metrics`` are those of the kept weights on ``split``."""

    directory: Path
    metrics: dict[str, float] = field(default_factory=dict)
    split: str = ""
    bundle: Path | None = None
    report: Path | None = None
    stop_reason: str | None = None
    epochs: int = 0
    steps: int = 0
    seconds: float = 0.0
    demo: bool = False


def execute(
    resolved: ResolvedRecipe,
    *,
    console: Console,
    out: Path | None = None,
    resume: bool = False,
    accept: Sequence[str] = (),
    trace: HookTrace | None = None,
) -> Outcome:
    """Run a recipe in a directory of its own.

    Args:
        console: receives everything that is said, on stderr.
        out: the run's directory; by default a new one under ``runs/``.
        resume: go on with the run in ``out``, exactly where it stopped.
        accept: what may have changed since the run began: recipe keys, files of the run, or ``samples``.
        trace: is told every call of a hook, and is written into the run's directory, however the run ends.

    One run at a time in a process, which is left as it was found: :mod:`toolkit.system.process`. Where nobody reads
    what the console says any more, the run goes on in silence.

    Raises:
        VtkError: whatever a user can mend; also when a signal ended the run (130, 143), or when another thread of the
            process is running a recipe (75).
    """
    started = time.monotonic()
    tune_allocator()
    with (
        alone(),
        unheard(console),
        catch_signals() as interrupt,
        open_directory(resolved.recipe.name, out, resume) as directory,
        on_leaving(lambda code: _tell_stopped(directory, code)),
    ):
        try:
            snapshot = load_snapshot(directory, console) if resume else None
            changes = changed_start(resolved, directory, snapshot, accept) if snapshot is not None else []
            run = prepare(
                resolved, console=console, directory=directory, snapshot=snapshot, interrupt=interrupt, trace=trace
            )
            if snapshot is not None:
                take_up(run, snapshot, changes, accept)
            begin(run, directory)
            with recorded(run, directory), traced(trace, directory):
                run.hook.vtk_fit(run=run)
                finished = finish(run)
        except Interrupted as stop:
            raise _stopped(directory, stop) from None
        outcome = _outcome(run, directory, finished, time.monotonic() - started)
        _end(run, directory, "finished", metrics=outcome.metrics, split=outcome.split, stop_reason=run.stop_reason)
        return outcome


@contextmanager
def unheard(console: Console) -> Iterator[None]:
    """Within, a console whose reader leaves falls silent; rich would end the process."""

    def fall_silent() -> None:
        console.quiet = True

    before, console.on_broken_pipe = console.on_broken_pipe, fall_silent  # type: ignore[method-assign]
    try:
        yield
    finally:
        console.on_broken_pipe = before  # type: ignore[method-assign]


def load_snapshot(directory: Path, console: Console) -> dict[str, Any]:
    """The newest whole checkpoint of a run whose best weights are whole, too; damaged ones are named aloud."""

    def require(tree: Any) -> None:
        best = require_form(tree, directory).best
        if best is not None and best.value is not None:
            best_store(directory).verify(best.step)

    tree, _step, damaged = checkpoint_store(directory).load_latest(require)
    for error in damaged:
        warning = f"warning: {error}"
        console.print(warning, markup=False, highlight=False, soft_wrap=True)
        log_said(warning)
    return dict(tree)


def begin(run: Run, directory: Path) -> None:
    """Write down what is about to run, and tell the user."""
    if run.seal is None:
        run.seal = {"recipe": seal_recipe(run.resolved), "data": seal_data(run)}
    if not run.resumed or run.accepted:
        write_atomic(directory / "recipe.yaml", run.resolved.to_yaml())
        origins = json.dumps(dict(run.resolved.origins), indent=2)
        write_atomic(directory / "origins.json", origins + "\n")
    write_atomic(directory / "environment.json", json.dumps(environment() | formats(run), indent=2) + "\n")
    run.start = read_status(directory).get("start") if run.resumed else getattr(run.model, "start", None)
    begin_status(directory, **_kept_facts(run))
    announce(run, directory)


def formats(run: Run) -> dict[str, Any]:
    """The number formats that a run trains and answers in, JSON-able."""
    assert run.precision is not None
    answers = run.recipe.inference.precision
    return {"precision": {"train": run.precision.name, "why": run.precision.why, "inference": answers}}


def announce(run: Run, directory: Path) -> None:
    """The few lines that say what runs where."""
    assert run.precision is not None
    total = sum(p.numel() for p in run.model.parameters())
    began = f", {run.start}" if run.start is not None else ""
    if run.demo:
        run.say("DEMO: small stand-in data, so the figures say nothing about the real task.")
    run.say(f"{run.recipe.task} · {run.recipe.name} · seed {run.seed} · {total:,} parameters{began} · {directory}")
    run.say(f"{run.device} · {run.precision.name}: {run.precision.why}{answers_note(run.recipe)}")
    for note in getattr(run.model, "notes", ()):
        run.say(f"note: {note}")
    if run.resumed:
        run.say(f"resumed after epoch {run.epoch}, step {run.step}")
    if run.stopping:
        run.say(f"training is over ({run.stop_reason}): nothing is left to train, whatever the recipe says now")


@contextmanager
def recorded(run: Run, directory: Path) -> Iterator[None]:
    """Keep status.json true, whatever happens to the run."""
    try:
        yield
    except Interrupted as stop:
        _end(run, directory, "stopped", reason=str(stop), step=run.step)
        raise
    except VtkError as error:
        raise _failed(directory, run, error) from None
    except BaseException as error:
        told = exit_error(error) if isinstance(error, SystemExit) else user_error(run, error)
        if told is not None:
            raise _failed(directory, run, told) from error
        end_status(directory, "failed", reason=repr(error), step=run.step, **_kept_facts(run))
        raise


@contextmanager
def traced(trace: HookTrace | None, directory: Path) -> Iterator[None]:
    """Write down what hooks were called, whatever happens to the run."""
    try:
        yield
    finally:
        if trace is not None:
            write_atomic(directory / TRACE, json.dumps(trace.document(), indent=1) + "\n")


def _end(run: Run, directory: Path, status: str, **facts: Any) -> None:
    """Record how the run ended, or say that it could not be."""
    if trouble := end_status(directory, status, **facts, **_kept_facts(run)):
        raise trouble


def _kept_facts(run: Run) -> dict[str, Any]:
    """What the status says from the run's beginning on."""
    start = {"start": run.start} if run.start is not None else {}
    return start | ({"accepted": run.accepted} if run.accepted else {})


def _failed(directory: Path, run: Run, error: VtkError) -> VtkError:
    """The error, with what can be gone on from; that it cannot be recorded never hides it."""
    trouble = end_status(directory, "failed", reason=error.message, step=run.step, **_kept_facts(run))
    notes = [error.hint, f"status.json: {trouble.message}" if trouble is not None and directory.is_dir() else None]
    if error.code in (ExitCode.IO, ExitCode.OUT_OF_MEMORY) and (step := last_step(directory)) is not None:
        notes.append(f"What was saved up to step {step} is intact; go on with: vtk run {directory} --resume")
    error.hint = "\n".join(note for note in notes if note) or None
    return error


def _stopped(directory: Path, stop: Interrupted) -> VtkError:
    if last_step(directory) is None:
        began = has_status(directory)
        what = "stopped before the first checkpoint" if began else "stopped before training began; nothing was kept"
        return VtkError(what, hint="Start the run anew." if began else None, code=stop.code)
    return VtkError(
        "stopped; everything up to the last step is saved",
        hint=f"Go on with: vtk run {directory} --resume",
        code=stop.code,
    )


def _tell_stopped(directory: Path, code: ExitCode) -> None:
    """Straight to the handle: the streams may be held by whoever does not end."""
    told = _stopped(directory, Interrupted(code))
    if last_step(directory) is not None:
        told.message = "stopped in the midst of a step; everything up to the last checkpoint is saved"
    hint = f"\n  {told.hint}" if told.hint else ""
    os.write(2, f"error: {told.message}{hint}\n".encode(errors="backslashreplace"))


def _outcome(run: Run, directory: Path, finished: Finished, seconds: float) -> Outcome:
    return Outcome(
        directory=directory,
        metrics=dict(finished.result.metrics),
        split=finished.result.split,
        bundle=finished.bundle,
        report=finished.report,
        stop_reason=run.stop_reason,
        epochs=run.epoch,
        steps=run.step,
        seconds=seconds,
        demo=run.demo,
    )
