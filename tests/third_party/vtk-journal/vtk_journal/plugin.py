"""The extension `journal`: its options and hooks."""

from __future__ import annotations

import os
import platform
from collections.abc import Generator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import Field

from toolkit import ExitCode, Result, Run, Section, VtkError, hookimpl
from vtk_journal import events
from vtk_journal.page import make_page

NAME = "journal"


class JournalOptions(Section):
    """Where the journal lies and what it says."""

    folder: str | None = Field(None, description="The journal's folder; by default `journal` beside the run's own.")
    project: str = Field(
        "all", pattern=r"^[\w-][\w.-]*$", description="A folder in it, whose runs are shown on one page."
    )
    tags: list[str] = Field(default_factory=list, description="Words by which to know the run again.")
    steps: bool = Field(True, description="Note the losses of single steps, and not those of epochs alone.")
    system: bool = Field(True, description="Note the machine and the versions.")


class Journal:
    """Keeps a file of events for each run, and a page of all."""

    @hookimpl
    def vtk_config(self) -> type[JournalOptions]:
        """Where, and what."""
        return JournalOptions

    @hookimpl(wrapper=True)
    def vtk_fit(self, run: Run) -> Generator[None, Any, Any]:
        """The journal is opened before training, and knows how it ended."""
        status = "failed"
        _begin(run)
        try:
            answer = yield
            status = "trained"
            return answer
        except VtkError as error:
            status = "stopped" if error.code in (ExitCode.INTERRUPTED, ExitCode.TERMINATED) else "failed"
            raise
        finally:
            _note(run, "end", status=status, stop_reason=run.stop_reason)
            _show(run)

    @hookimpl
    def vtk_log(self, run: Run, records: Sequence[Mapping[str, float]]) -> None:
        """Losses of single steps."""
        if run.options(NAME).steps:
            for record in records:
                _note(run, "step", **record)

    @hookimpl
    def vtk_epoch_end(self, run: Run, metrics: Mapping[str, float]) -> None:
        """An epoch's metrics, and the page anew."""
        _note(run, "epoch", epoch=run.epoch, step=run.step, metrics=dict(metrics))
        _show(run)

    @hookimpl
    def vtk_report(self, run: Run, result: Result) -> None:
        """The final evaluation. `vtk eval` reports too, and is no part of the run."""
        if NAME in run.local:
            _note(run, "result", step=run.step, split=result.split, metrics=dict(result.metrics))
            _show(run)


def _begin(run: Run) -> None:
    """Open the run's file: a new one, or after an interruption the same one where training goes on."""
    options = run.options(NAME)
    assert run.directory is not None
    directory = run.directory.resolve()
    folder = Path(options.folder).expanduser().resolve() if options.folder else directory.parent / "journal"
    state = run.plugin_state(NAME, file=str(folder / options.project / f"{directory.name}.jsonl"))
    file = Path(state["file"])
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if run.resumed and file.exists():
            events.cut_back(file, run.step)
        else:
            events.replace(file, "")
    except OSError as error:
        raise VtkError(
            f"the journal cannot be written: {error.strerror or error}",
            place=str(file),
            hint="choose another place with extensions.journal.folder",
            code=ExitCode.CANNOT_CREATE,
        ) from error
    run.local[NAME] = file
    recipe = run.recipe.model_dump(mode="json")
    facts = {"system": _system(run)} if options.system else {}
    _note(
        run, "start", step=run.step, name=directory.name, tags=options.tags, recipe=recipe, resumed=run.resumed, **facts
    )


def _system(run: Run) -> dict[str, Any]:
    import torch

    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "torch": torch.__version__,
        "device": str(run.device),
    }


def _note(run: Run, event: str, **facts: Any) -> None:
    """Write an event. A disk that fails later costs the journal and not the training."""
    file = run.local[NAME]
    if file is None:
        return
    try:
        events.append(file, {"event": event, "time": datetime.now(UTC).isoformat(timespec="milliseconds"), **facts})
    except OSError as error:
        _give_up(run, file, error)


def _show(run: Run) -> None:
    file = run.local[NAME]
    if file is None:
        return
    try:
        page = make_page(run.options(NAME).project, sorted(file.parent.glob("*.jsonl")))
        events.replace(file.parent / "index.html", page)
    except OSError as error:
        _give_up(run, file, error)


def _give_up(run: Run, file: Path, error: OSError) -> None:
    run.local[NAME] = None
    run.say(f"journal: {file} cannot be written ({error.strerror or error}); it ends here, and training goes on")


extension = Journal()
