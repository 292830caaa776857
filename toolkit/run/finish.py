"""After training: the best weights, their evaluation, the bundle and the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolkit.run.keeping import load_best
from toolkit.run.loop import evaluation_loader, evaluator
from toolkit.run.report import Figure, Result, Table

if TYPE_CHECKING:
    from pathlib import Path

    from toolkit.run.run import Run


@dataclass
class Finished:
    """What finishing made. ``bundle`` is None for a task whose model predicts nothing."""

    result: Result
    bundle: Path | None
    report: Path | None


def finish(run: Run) -> Finished:
    """Evaluate the kept weights on the test split (else validation), save the bundle, write the report."""
    load_best(run)
    result = evaluate_final(run)
    bundle = save_bundle(run) if run.recipe.predicts else None
    report = make_report(run, result)
    run.phase = "done"
    return Finished(result, bundle, report)


def evaluate_final(run: Run, split: str | None = None) -> Result:
    """The metrics and outputs of the kept weights on ``split``; empty where there is none."""
    split = split or ("test" if run.data.test is not None else "val")
    dataset = getattr(run.data, split)
    if dataset is None:
        return Result()
    loader = evaluation_loader(run, dataset)
    run.phase, run.eval_total, run.eval_done = split if split == "test" else "final", len(loader), 0
    metrics = run.hook.vtk_metrics(recipe=run.recipe, data=run.data)
    return evaluator(run).run(loader, metrics, split, keep_outputs=True)


def save_bundle(run: Run) -> Path:
    """The saved model that needs nothing else to predict."""
    from toolkit.models.bundle import Bundle

    assert run.directory is not None
    path = run.directory / "bundle"
    Bundle.save(path, model=run.model, recipe=run.resolved, data=run.data)
    return path


def report_items(run: Run, result: Result) -> list[Figure | Table]:
    """What the task and the extensions add to the report."""
    answers = run.hook.vtk_report(run=run, result=result)
    return [item for answer in answers if answer for item in answer]


def make_report(run: Run, result: Result) -> Path:
    """Write the report's folder; returns its page."""
    from toolkit.run.report_page import write_report

    assert run.directory is not None
    return write_report(
        run.directory / "report",
        title=run.recipe.name,
        result=result,
        history=run.history,
        items=report_items(run, result),
        recipe_yaml=run.resolved.to_yaml(),
        demo=run.demo,
    )
