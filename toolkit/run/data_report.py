"""A report on the data of a recipe: the task lists them, the core reads them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from toolkit.errors import ExitCode, VtkError
from toolkit.hooks.manager import build_manager
from toolkit.run.defaults import core_defaults

if TYPE_CHECKING:
    from rich.console import Console

    from toolkit.data.report.data_report import DataReport
    from toolkit.data.report.survey import Survey
    from toolkit.recipe.resolved import ResolvedRecipe

__all__ = ["report_on"]

_LINE_SECONDS = 5.0


def report_on(resolved: ResolvedRecipe, *, console: Console) -> DataReport:
    """Reads the recipe's whole data set; ``console`` shows how far it is.

    Raises:
        VtkError: the task has no data set, or there are none to read.
    """
    from toolkit.data.report.data_report import check_data

    manager = build_manager(core_defaults, list(resolved.plugins.values()), resolved.task)
    survey: Survey | None = manager.ask("vtk_survey", recipe=resolved.recipe)
    if survey is None:
        raise VtkError(
            f"the task {resolved.recipe.task!r} has no data set to report on",
            hint="leave out --report and --html",
            code=ExitCode.USAGE,
        )
    total = sum(len(part.files or ()) for part in survey.parts.values())
    if console.is_terminal:
        return _with_bar(survey, total, console)
    lines = _Lines(total, console)
    return check_data(survey, done=lines.more)


def _with_bar(survey: Survey, total: int, console: Console) -> DataReport:
    """Count, rate and time left, on one line that vanishes at the end."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from toolkit.data.report.data_report import check_data

    rate = TextColumn("{task.fields[rate]}")
    columns = (TextColumn("reading"), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("reading", total=total, rate="")

        def more(count: int) -> None:
            speed = progress.tasks[0].speed
            progress.update(bar, advance=count, rate=f"{speed:,.0f}/s" if speed else "")

        return check_data(survey, done=more)


class _Lines:
    """A line now and then, where there is no terminal."""

    def __init__(self, total: int, console: Console) -> None:
        self._total = total
        self._console = console
        self._read = 0
        self._began = self._told = time.monotonic()

    def more(self, count: int) -> None:
        """So many more files were read."""
        self._read += count
        now = time.monotonic()
        if now - self._told < _LINE_SECONDS:
            return
        self._told = now
        rate = self._read / (now - self._began)
        left = (self._total - self._read) / rate
        self._console.print(f"read {self._read:,} of {self._total:,} files · {rate:,.0f}/s · {left:.0f} s left")
