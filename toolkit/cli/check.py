"""``vtk check``: validate a recipe and show what a run would do."""

from __future__ import annotations

import dataclasses
import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolkit.cli.echo import echo
from toolkit.cli.options import demo_option, device_option, json_option, sets_option
from toolkit.cli.output import print_json, print_table
from toolkit.cli.target import RecipeVerb, given_flags, load_target, target_of
from toolkit.errors import ExitCode, VtkError

if TYPE_CHECKING:
    from rich.console import Console

    from toolkit.data_audit.data_report import DataReport
    from toolkit.recipe.resolved import ResolvedRecipe
    from toolkit.run.dry_run import Plan, StagePlan

EXAMPLES = """
vtk check digits
vtk check recipes/catsdogs.yaml --demo
vtk check photos/                           reads every image and says what is wrong with the data
vtk check photos/ --html report.html        the same as a page to look at, with samples of each class
vtk check mine.yaml --report --data         the plan, the data, and one batch and one step
vtk check mine.yaml --set train.epochs=3 --json
"""


@click.command(cls=RecipeVerb, examples=EXAMPLES, short_help="Validate a recipe, show the plan, look through the data.")
@click.argument("recipe")
@click.option(
    "--data", "trial", is_flag=True, help="Also build one batch and do one step on a model that is thrown away."
)
@click.option(
    "--report/--no-report",
    default=None,
    help="Read every image and report what is wrong with the data. For a folder of images that is the default.",
)
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PAGE",
    help="Write the report as one page of HTML too; implies --report.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The directory that the run is to have; see whether it could. Under runs/ by default.",
)
@sets_option
@demo_option
@device_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    recipe: str,
    out: Path | None,
    trial: bool,
    report: bool | None,
    page: Path | None,
    sets: tuple[str, ...],
    demo: bool,
    device: str | None,
    as_json: bool,
) -> None:
    """Validate RECIPE, then show the plan: each value with its origin, classes, steps, parameters, downloads.

    RECIPE is what `vtk run` takes. With a folder, or with --report, every image is read as well: files that are
    damaged, empty or odd, copies and near copies within and across splits, one image under two labels, classes that
    are few or not in every split. The exit code is then 65 if there are errors, 0 if there are warnings or notes.

    Without --data nothing is downloaded, and but for PAGE nothing is ever written.
    """
    target = target_of(ctx, recipe)
    wanted = page is not None or (bool(target.flags) if report is None else report)
    if page is not None and report is False:
        raise click.UsageError("--html writes the report; leave out --no-report")
    if page is not None:
        require_folder(page)
    resolved = load_target(target, sets=sets, flags=given_flags(ctx), demo=demo, device=device)

    from toolkit.run.dry_run import make_plan
    from toolkit.system.terminal import progress_console

    console = progress_console()
    plan = make_plan(resolved, console=console, trial=trial)
    plan.problem = plan.problem or problem_of_place(plan, out)
    found = look_through(resolved, plan, console) if wanted else None
    if as_json:
        print_json(as_document(plan) | ({"report": found.to_json() if found else None} if wanted else {}))
    else:
        show(plan, values=not target.flags)
        if found is not None:
            show_report(found)
    if page is not None and found is not None:
        write_page(found, page)
    if plan.problem is not None:
        if found is not None and found.levels["error"] and plan.problem.code == ExitCode.NO_INPUT:
            plan.problem.code = ExitCode.DATA  # the data are there, and among what is wrong with them are missing files
        raise plan.problem
    if found is not None and found.levels["error"]:
        ctx.exit(int(ExitCode.DATA))


def problem_of_place(plan: Plan, out: Path | None) -> VtkError | None:
    """Why the run could not have its directory, or not keep even its weights there; None where nothing speaks so."""
    from toolkit.run.directory import require_place

    weights = max((4 * (stage.trainable + stage.frozen) for stage in plan.stages), default=0)
    try:
        require_place(out, weights)
    except VtkError as error:
        return error
    return None


def look_through(resolved: ResolvedRecipe, plan: Plan, console: Console) -> DataReport | None:
    """The report on the data; None where they cannot even be listed, which then is the plan's problem."""
    from toolkit.data_audit.audit_run import report_on

    try:
        return report_on(resolved, console=console)
    except VtkError as error:
        plan.problem = plan.problem or error
        return None


def require_folder(page: Path) -> None:
    """Told before anything is read, not after."""
    from toolkit.system.disk_errors import write_error

    folder = page.absolute().parent
    try:
        found = stat.S_ISDIR(folder.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        found = False
    except OSError as error:
        raise write_error(page, error, flag="--html") from error
    if not found:
        raise VtkError("there is no such folder", place=str(page.parent), code=ExitCode.CANNOT_CREATE)


def write_page(found: DataReport, page: Path) -> None:
    """The page, whole or not at all."""
    from toolkit.data_audit.page import as_page
    from toolkit.system.files import write_atomic

    write_atomic(page, as_page(found), flag="--html")
    echo(f"the page is {page}", err=True)


def show_report(found: DataReport) -> None:
    """The report for people."""
    from toolkit.data_audit.text import as_text

    echo()
    for line in as_text(found):
        echo(line)


def as_document(plan: Plan) -> dict[str, Any]:
    """The plan as plain data."""
    document = {f.name: getattr(plan, f.name) for f in dataclasses.fields(plan) if f.name not in {"problem", "values"}}
    document["stages"] = [dataclasses.asdict(stage) for stage in plan.stages]
    document["trial"] = dataclasses.asdict(plan.trial) if plan.trial else None
    document["values"] = {key: {"value": v, "origin": origin} for key, (v, origin) in plan.values.items()}
    document["problem"] = plan.problem.message if plan.problem else None
    return document


def show(plan: Plan, *, values: bool = True) -> None:
    """The plan for people, with or without the recipe's values."""
    echo(f"{plan.name}: {plan.task}{' · DEMO: small stand-in data' if plan.demo else ''}")
    if values:
        echo()
        print_table(("key", "value", "from"), [[key, _short(v), origin] for key, (v, origin) in plan.values.items()])
    for title, lines in sections(plan):
        echo(f"\n{title}")
        for line in lines:
            echo(f"  {line}")


def sections(plan: Plan) -> list[tuple[str, list[str]]]:
    """What is known beyond the values, under headings; what is not known is left out."""
    found = [
        ("data", data_lines(plan)),
        ("stages", [line for stage in plan.stages for line in (stage_line(stage), *stage_notes(stage))]),
        ("machine", _machine_lines(plan)),
        ("one batch and one step", _trial_lines(plan)),
    ]
    return [(title, lines) for title, lines in found if lines]


def data_lines(plan: Plan) -> list[str]:
    """Samples of each split, then whatever the task says: classes with their counts, downloads and so on."""
    lines = [" · ".join(f"{split} {count:,}" for split, count in plan.samples.items())] if plan.samples else []
    for name, value in plan.data.items():
        if isinstance(value, dict):
            lines.append(f"{name} ({len(value)})")
            lines += [f"  {key}: {_counts(item)}" for key, item in value.items()]
        elif isinstance(value, list):
            lines += [f"{name}: {item}" for item in value]
        else:
            lines.append(f"{name}: {value}")
    return lines


def _counts(value: Any) -> str:
    if isinstance(value, dict):
        return " · ".join(f"{key} {count:,}" for key, count in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)


def stage_line(stage: StagePlan) -> str:
    """Length, optimizer and parameters of a stage."""
    return (
        f"{stage.name}: {stage.epochs} epochs × {stage.steps_per_epoch:,} steps = {stage.steps:,} · "
        f"{stage.optimizer}, lr {stage.lr:g}, {stage.schedule} · "
        f"parameters: {stage.trainable:,} trainable, {stage.frozen:,} frozen"
    )


def stage_notes(stage: StagePlan) -> list[str]:
    """What of the stage's schedule will not happen, a line each."""
    return [f"  note: {note}" for note in stage.notes]


def _machine_lines(plan: Plan) -> list[str]:
    lines = [f"{plan.device} · {plan.precision}: {plan.precision_why}"] if plan.precision else []
    if plan.loader:
        lines.append(f"batches are prepared {plan.loader}")
    if plan.best:
        lines.append(f"the weights of the best {plan.best} are kept")
    return lines


def _trial_lines(plan: Plan) -> list[str]:
    trial = plan.trial
    if trial is None:
        return []
    return [
        f"inputs {trial.inputs}",
        f"targets {trial.targets}",
        f"batch {1000 * trial.batch_seconds:.0f} ms · step {1000 * trial.step_seconds:.0f} ms · loss {trial.loss:.4g}",
    ]


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
