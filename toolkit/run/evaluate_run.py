"""Evaluating a finished run again, on its own splits or on other data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.errors import ExitCode, VtkError
from toolkit.hooks.catalogue import Catalogue
from toolkit.hooks.manager import call_required
from toolkit.inference.bundle import Bundle
from toolkit.inference.predict import require_predictions
from toolkit.recipe.load import Reading, load_recipe
from toolkit.run.checkpoint.plugin_state import load_plugin_state
from toolkit.run.checkpoint.seal import require_as_trained
from toolkit.run.directory import require_run
from toolkit.run.finish import evaluate_final, report_gaps, report_items
from toolkit.run.setup import build_data, new_run, place_model
from toolkit.run.skipped import closing_line
from toolkit.system.process import alone

if TYPE_CHECKING:
    from rich.console import Console

    from toolkit.recipe.resolved import ResolvedRecipe
    from toolkit.report.gaps import Gaps
    from toolkit.run.run import Run
    from toolkit.types.results import Figure, Result, Table

Display = Callable[["Run"], AbstractContextManager[Any]]


@dataclass
class Evaluation:
    """What evaluating found, what the task shows of it, and what it fails to show."""

    run: Run
    result: Result
    items: list[Figure | Table]
    gaps: Gaps


def reevaluate(
    directory: Path,
    *,
    console: Console,
    display: Display,
    split: str | None = None,
    flags: Sequence[tuple[str, str]] = (),
    device: str | None = None,
    reading: Reading | None = None,
) -> Evaluation:
    """Evaluate a run's bundle.

    Args:
        directory: the run's directory.
        display: shows the progress of a run.
        split: ``val`` or ``test``; by default the test split where there is one.
        flags: task flags that name other data; every labelled sample of those is evaluated.
        device: instead of the recipe's.
        reading: of the run's recipe, where that was read before.

    Raises:
        VtkError: no finished run, no such split, or data that do not fit the model.
    """
    with alone():
        require_predictions(require_run(directory))
        catalogue = Catalogue() if reading is None else reading.catalogue
        bundle = Bundle.load(directory, catalogue=catalogue)
        reading = reading or Reading(directory, catalogue)
        require_as_trained(load_recipe(reading), directory, bundle.facts)
        sets = [f"train.device={device}"] if device is not None else []
        run = _open_run(bundle, directory, console, load_recipe(reading, sets=sets, flags=flags), other=bool(flags))
        return _evaluated(run, directory, display, split)


def _evaluated(run: Run, directory: Path, display: Display, split: str | None) -> Evaluation:
    if split is not None and getattr(run.data, split) is None:
        there = [name for name in ("val", "test") if getattr(run.data, name) is not None]
        hint = f"There is: {', '.join(there)}." if there else "The recipe holds no data out."
        raise VtkError(f"there is no {split} split", place=str(directory), hint=hint, code=ExitCode.USAGE)
    run.say(f"{run.device} · answers in {run.recipe.inference.precision}")
    with display(run):
        result = evaluate_final(run, split)
    if line := closing_line(run):
        run.say(line)
    gaps = report_gaps(run)
    return Evaluation(run, result, report_items(run, result, gaps), gaps)


def _open_run(bundle: Bundle, directory: Path, console: Console, resolved: ResolvedRecipe, *, other: bool) -> Run:
    """The run as it stood at its end: data, or ``other`` ones, the bundle's weights, the loss."""
    answers = bundle.recipe.inference.precision
    if answers != resolved.recipe.inference.precision:
        resolved = resolved.settled("inference", "precision", answers, str(bundle.directory))
    run = new_run(resolved, console=console, directory=None if other else directory)
    run.trained_meta, run.start = bundle.meta, bundle.facts.get("start")
    run.state.update(load_plugin_state(directory))
    build_data(run)
    run.data.restored = True
    require_same_meta(bundle.meta, run.data.meta, directory)
    run.model = place_model(bundle.model(), run.device, run.recipe.train.channels_last)
    run.loss = call_required(run.plugins, "vtk_loss", recipe=run.recipe, data=run.data)
    if hasattr(run.loss, "to"):
        run.loss.to(run.device)
    return run


def require_same_meta(trained: Mapping[str, Any], found: Mapping[str, Any], directory: Path) -> None:
    """Refuse data whose facts, such as the classes, are not those that the model was trained with."""
    for key in [*trained, *(key for key in found if key not in trained)]:
        was, now = trained.get(key), found.get(key)
        if was != now:
            raise VtkError(
                f"the data do not fit the model: {key} is {_short(now)}, and was {_short(was)} in training",
                place=str(directory),
                hint="Evaluate on data of the same kind, or train anew on these.",
            )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:99]}…"
