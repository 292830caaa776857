"""After training: the best weights, their evaluation, the bundle and the report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from toolkit.data.splits.manifest import MANIFEST
from toolkit.errors import VtkError
from toolkit.hooks.results import owner_name
from toolkit.inference.meta import require_plain_meta
from toolkit.inference.precision import answers_in
from toolkit.report.gaps import Gap, Gaps
from toolkit.run.batches import reraise_worker_deaths
from toolkit.run.checkpoint.changes import accepted_table
from toolkit.run.checkpoint.plugin_state import save_plugin_state
from toolkit.run.checkpoint.policy import load_best
from toolkit.run.directory import require_own
from toolkit.run.loop import evaluation_loader, evaluator
from toolkit.run.skipped import closing_line, skipped_table, write_skipped
from toolkit.types.results import Figure, Result, Table

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from toolkit.run.run import Run


RAW = "raw.safetensors"


@dataclass
class Finished:
    """What finishing made.

    Attributes:
        bundle: None for a task whose model predicts nothing.
        missing: what the report lacks.
    """

    result: Result
    bundle: Path | None
    report: Path | None
    missing: list[Gap] = field(default_factory=list)


def finish(run: Run) -> Finished:
    """Calibrate and evaluate the kept weights on the test split (else validation); save the bundle and the report."""
    raw = load_best(run)
    calibrate(run)
    result = evaluate_final(run)
    bundle = save_bundle(run) if run.recipe.predicts else None
    if raw is not None:
        save_raw(run, raw)
    save_plugin_state(run)
    gaps = report_gaps(run)
    report = make_report(run, result, gaps)
    run.phase = "done"
    if line := closing_line(run):
        run.say(line)
    return Finished(result, bundle, report, gaps.found)


def calibrate(run: Run) -> None:
    """Let plugins derive what predicting needs from the kept weights' outputs on validation."""
    if run.data.val is None or not run.hook.vtk_calibrate.get_hookimpls():
        return
    result = _evaluate(run, "val", None)
    if result.outputs is None:
        raise VtkError(
            "the model's outputs on validation are too large to calibrate with",
            hint="Hold out fewer samples: lower data.split.val.",
        )
    run.hook.vtk_calibrate(run=run, outputs=result.outputs, targets=result.targets)
    owners = [owner_name(entry) for entry in run.plugins.answerers("vtk_calibrate")]
    require_plain_meta(run.data.meta, f"vtk_calibrate of {' or '.join(owners)}")


def evaluate_final(run: Run, split: str | None = None) -> Result:
    """The metrics and outputs of the kept weights on ``split``; empty where there is none."""
    split = split or ("test" if run.data.test is not None else "val")
    if getattr(run.data, split) is None:
        return Result()
    metrics = run.plugins.call("vtk_metrics", recipe=run.recipe, data=run.data, split=split)
    return _evaluate(run, split, metrics)


def _evaluate(run: Run, split: str, metrics: Any) -> Result:
    """One pass over a split with the model as it answers once training is over."""
    loader = evaluation_loader(run, getattr(run.data, split))
    run.phase, run.eval_total, run.eval_done = split if split == "test" else "final", len(loader), 0
    judge = evaluator(run)
    answering: nn.Module | None = run.plugins.call("vtk_inference", recipe=run.recipe, model=run.model.eval())
    judge.model = answers_in((run.model if answering is None else answering).eval(), run.recipe.inference.precision)
    with loader, reraise_worker_deaths(loader):
        result = judge.run(loader, metrics, split, keep_outputs=True)
    write_skipped(run)
    return result


def save_bundle(run: Run) -> Path:
    """The saved model that needs nothing else to predict."""
    from toolkit.inference.bundle import Bundle

    assert run.directory is not None
    path = run.directory / "bundle"
    require_own(run.directory)
    files = run.sealed_files.state() if run.sealed_files is not None else {}
    evaluated = {name: state for name, state in files.items() if name == MANIFEST}
    Bundle.save(path, model=run.model, recipe=run.resolved, data=run.data, run_files=evaluated, start=run.start)
    return path


def save_raw(run: Run, state: dict[str, Any]) -> Path:
    """The weights as trained, beside the bundle with their average."""
    from safetensors.torch import save

    from toolkit.system.files import write_atomic

    assert run.directory is not None
    path = run.directory / RAW
    write_atomic(path, save({name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}))
    return path


def report_gaps(run: Run) -> Gaps:
    """Where what the run's report lacks is gathered and told."""
    return Gaps(run.say)


def report_items(run: Run, result: Result, gaps: Gaps) -> list[Figure | Table]:
    """What the task and the extensions add to the report."""
    items: list[Figure | Table] = []
    with gaps.around("what the task and the extensions add"):
        answers = run.plugins.call("vtk_report", run=run, result=result)
        items = [item for answer in answers if answer for item in answer]
    return [*items, *skipped_table(run), *accepted_table(run)]


def make_report(run: Run, result: Result, gaps: Gaps) -> Path:
    """Write the report's folder; returns its page."""
    from toolkit.report.run_page import write_report

    assert run.directory is not None
    require_own(run.directory)
    return write_report(
        run.directory / "report",
        title=run.recipe.name,
        result=result,
        history=run.history,
        items=report_items(run, result, gaps),
        recipe_yaml=run.resolved.to_yaml(),
        demo=run.demo,
        start=run.start,
        gaps=gaps,
    )
