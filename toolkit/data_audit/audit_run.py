"""A report on the data of a recipe: the task lists them, the core reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.errors import ExitCode, VtkError
from toolkit.hooks.manager import build_manager
from toolkit.system.step_display import StepDisplay

if TYPE_CHECKING:
    from rich.console import Console

    from toolkit.data_audit.data_report import DataReport
    from toolkit.recipe.resolved import ResolvedRecipe
    from toolkit.types.survey import Survey

__all__ = ["report_on"]


def report_on(resolved: ResolvedRecipe, *, console: Console) -> DataReport:
    """Reads the recipe's whole data set; ``console`` shows how far it is.

    Raises:
        VtkError: the task has no data set, or there are none to read.
    """
    from toolkit.system.opencv import single_threaded

    with StepDisplay(console), single_threaded():
        return _report_on(resolved)


def _report_on(resolved: ResolvedRecipe) -> DataReport:
    from toolkit.data_audit.data_report import check_data

    manager = build_manager(None, list(resolved.plugins.values()), resolved.task)
    survey: Survey | None = manager.call("vtk_survey", recipe=resolved.recipe)
    if survey is None:
        raise VtkError(
            f"the task {resolved.recipe.task!r} has no data set to report on",
            hint="leave out --report and --html",
            code=ExitCode.USAGE,
        )
    return check_data(survey)
