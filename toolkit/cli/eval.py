"""``vtk eval``: how good a finished run is."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolkit.cli.echo import echo
from toolkit.cli.options import device_option, json_option
from toolkit.cli.output import print_json, print_table
from toolkit.cli.target import RecipeVerb, given_flags, target_of

if TYPE_CHECKING:
    from toolkit.run.evaluate_run import Evaluation
    from toolkit.run.run import Run

EXAMPLES = """
vtk eval runs/digits-20260101-120000
vtk eval runs/catsdogs-20260101-120000 --split val --json
vtk eval runs/catsdogs-20260101-120000 --images more-photos/ --report more-photos-report
"""


@click.command(cls=RecipeVerb, examples=EXAMPLES, short_help="Evaluate a finished run on a split or on new data.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--split", type=click.Choice(["val", "test"]), help="Which split; by default test where there is one, else val."
)
@click.option(
    "--report", type=click.Path(path_type=Path), metavar="DIR", help="Also write a report with figures there."
)
@json_option
@device_option
@click.pass_context
def command(
    ctx: click.Context, run: Path, split: str | None, report: Path | None, as_json: bool, device: str | None
) -> None:
    """Evaluate the kept weights of a finished RUN on its own held-out data.

    The task's own options name other data; all of their labelled samples are evaluated then.
    """
    from toolkit.run.checkpoint.moved import reraise_with_origin
    from toolkit.run.evaluate_run import reevaluate
    from toolkit.system.terminal import progress_console

    console = progress_console()
    target = target_of(ctx, str(run))
    reading = target.reading if target.run_directory is not None else None
    with reraise_with_origin(run):
        found = reevaluate(
            run,
            console=console,
            display=_display,
            split=split,
            flags=given_flags(ctx),
            device=device,
            reading=reading,
        )
    page = write_page(found, report) if report is not None else None
    if as_json:
        print_json(as_document(found, page))
    else:
        show(found, page)


def _display(run: Run) -> AbstractContextManager[Any]:
    """A live line on a terminal, nothing elsewhere."""
    if not run.console.is_terminal:
        return nullcontext()
    from toolkit.extensions.displays import LiveDisplay
    from toolkit.extensions.watch import Watch

    return LiveDisplay(Watch(run), refresh_seconds=0.25)


def write_page(found: Evaluation, directory: Path) -> Path:
    """The report of the evaluation."""
    from toolkit.report.run_page import write_report

    run = found.run
    return write_report(
        directory,
        title=run.recipe.name,
        result=found.result,
        items=found.items,
        recipe_yaml=run.resolved.to_yaml(),
        demo=run.demo,
        start=run.start,
        gaps=found.gaps,
        flag="--report",
    )


def as_document(found: Evaluation, page: Path | None) -> dict[str, Any]:
    """The evaluation as plain data."""
    return {
        "split": found.result.split,
        "metrics": dict(found.result.metrics),
        "demo": found.run.demo,
        "tables": {t.name: {"columns": list(t.columns), "rows": [list(r) for r in t.rows]} for t in _tables(found)},
        "report": page,
    }


def show(found: Evaluation, page: Path | None) -> None:
    """Metrics and tables for people."""
    if found.run.demo:
        echo("DEMO: small stand-in data; the figures say nothing about the real task")
    print_table((found.result.split or "metric", ""), list(found.result.metrics.items()))
    for table in _tables(found):
        echo(f"\n{table.caption or table.name}")
        print_table(table.columns, table.shown())
    if page is not None:
        echo(f"\nreport  {page}")


def _tables(found: Evaluation) -> list[Any]:
    from toolkit.types.results import Table

    return [item for item in found.items if isinstance(item, Table)]
