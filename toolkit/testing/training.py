"""Small runs in this process, and the state that they end in."""

from __future__ import annotations

import copy
import dataclasses
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from toolkit.errors import ExitCode
from toolkit.hooks.entry import LoadedPlugin, Plugin
from toolkit.hooks.specs import hookimpl
from toolkit.section import Section

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from rich.console import Console

    from toolkit.recipe.resolved import ResolvedRecipe
    from toolkit.run.finish import Finished
    from toolkit.run.run import Run


class Trainable(Protocol):
    """What :func:`train` needs of its subject; see :class:`~toolkit.testing.subject.Subject`."""

    @property
    def folder(self) -> Path: ...

    def alone(self) -> AbstractContextManager[Any]: ...

    def resolve(self, *sets: str) -> ResolvedRecipe: ...


@dataclass
class Trained:
    """A run that has come to its end.

    Attributes:
        weights: the model's state as training left it, before the best weights are put back.
        state: what else must not depend on how the run came about: optimizer, schedule, position.
        history: the metrics of each epoch, and the best of them.
        plugins: ``run.state``, which plugins fill.
        finished: its evaluation and bundle, where they were asked for.
    """

    run: Run
    directory: Path
    weights: dict[str, Any]
    state: dict[str, Any]
    history: dict[str, Any]
    plugins: dict[str, Any]
    steps: int
    finished: Finished | None = field(default=None)


class Interrupter:
    """An extension that asks a run to end, as Ctrl-C does, once a step is done."""

    def __init__(self, step: int) -> None:
        self.step = step

    @hookimpl(wrapper=True)
    def vtk_step(self, run: Any) -> Any:
        """The step, and then the request."""
        answer = yield
        if run.position.step + 1 >= self.step:
            run.interrupt.code = ExitCode.INTERRUPTED
        return answer


def train(
    subject: Trainable, name: str, *, sets: tuple[str, ...] = (), resume: bool = False, finish: bool = False
) -> Trained:
    """Train the subject's recipe in ``folder/name``.

    Args:
        resume: go on with the run that lies there.
        finish: also evaluate, save the bundle and write the report.
    """
    from toolkit.run.status import write_status

    resolved = subject.resolve(*sets)
    with subject.alone():
        run, directory = _fit(resolved, subject.folder / name, resume)
        trained = _state_of(run, directory)
        if finish:
            from toolkit.run.finish import finish as finish_run

            trained.finished = finish_run(run)
            result = trained.finished.result
            write_status(directory, "finished", metrics=dict(result.metrics), split=result.split)
    return trained


def interrupt(subject: Trainable, name: str, step: int, *, resume: bool = False) -> bool:
    """Start or go on with a run and interrupt it after ``step``; False where it ended without heeding that."""
    from toolkit.system.signals import Interrupted

    resolved = subject.resolve()
    entry = Plugin("interrupter", "extension", f"{__name__}:Interrupter", "vision-toolkit", "0", "", builtin=True)
    plugins = {**resolved.plugins, entry.name: LoadedPlugin(entry, Interrupter(step), Section)}
    resolved = dataclasses.replace(resolved, plugins=plugins)
    try:
        with subject.alone():
            _fit(resolved, subject.folder / name, resume)
    except Interrupted:
        return True
    return False


def silent() -> Console:
    """A console that keeps what it is told to itself."""
    from rich.console import Console

    return Console(file=io.StringIO(), width=200)


def _fit(resolved: ResolvedRecipe, directory: Path, resume: bool) -> tuple[Run, Path]:
    from toolkit.run.directory import open_directory
    from toolkit.run.runner import begin, load_snapshot
    from toolkit.run.setup import prepare

    console = silent()
    with open_directory(resolved.recipe.name, directory, resume) as out:
        snapshot = load_snapshot(out, console) if resume else None
        run = prepare(resolved, console=console, directory=out, snapshot=snapshot)
        begin(run, out)
        run.hook.vtk_fit(run=run)
    return run, out


def _state_of(run: Run, directory: Path) -> Trained:
    from toolkit.testing.compare import without_clocks

    state = {
        "optimizer": run.optimizer.state_dict() if run.optimizer is not None else None,
        "scheduler": run.scheduler.state_dict() if run.scheduler is not None else None,
        "position": dataclasses.asdict(run.position),
    }
    history = {"best": dataclasses.asdict(run.best) if run.best else None, "history": without_clocks(run.history)}
    weights = copy.deepcopy(dict(run.model.state_dict()))
    plugins = copy.deepcopy(run.state)
    return Trained(run, directory, weights, copy.deepcopy(state), history, plugins, run.position.step)
