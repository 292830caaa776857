"""``vtk check`` shows what a run would do, and does nothing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from toolkit.errors import ExitCode
from toolkit.testing.findings import ConformanceError, finding
from toolkit.testing.subject import Subject
from toolkit.testing.training import silent
from toolkit.testing.values import existing_paths, setting


@finding
def check_plan(subject: Subject) -> None:
    """The plan is found, one step can be tried, and nothing is written into the present folder."""
    from toolkit.run.dry_run import make_plan

    folder = subject.folder / "check"
    folder.mkdir(exist_ok=True)
    resolved = subject.resolve(*_absolute(subject))
    with subject.alone():
        with _inside(folder):
            plan = make_plan(resolved, console=silent())
        written = sorted(path.name for path in folder.iterdir())
        plan = plan if plan.problem is not None else make_plan(resolved, console=silent(), trial=True)
    if plan.problem is not None and plan.problem.code == ExitCode.UNAVAILABLE:
        raise plan.problem  # the plugin itself, whether it is checked or run
    if plan.problem is not None:
        raise ConformanceError(
            "plan",
            f"`vtk check` fails where `vtk run` works: {plan.problem}",
            "under vtk check run.directory is None (with --data a folder that vanishes): write nothing without it",
        )
    if written:
        raise ConformanceError(
            "plan", f"`vtk check` wrote {', '.join(written)}", "write into run.directory, and nothing where it is None"
        )


def _absolute(subject: Subject) -> Iterator[str]:
    """Relative paths of the recipe as they are seen from elsewhere."""
    for key, path in existing_paths(subject.resolve().recipe):
        yield setting(key, path.resolve())


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
