"""``vtk run``: train as a recipe says."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolkit.cli.echo import echo, echo_exact
from toolkit.cli.options import demo_option, device_option, json_option, sets_option
from toolkit.cli.target import RecipeVerb, Target, early_calls, given_flags, load_target, target_of

if TYPE_CHECKING:
    from toolkit.hooks.trace import EarlyCall
    from toolkit.recipe.resolved import ResolvedRecipe
    from toolkit.run.runner import Outcome

EXAMPLES = """
vtk run digits                              a shipped recipe
vtk run recipes/catsdogs.yaml --demo        a recipe file, on stand-in data
vtk run photos/                             a folder with one sub-folder for each class
vtk run mine.yaml --set train.epochs=3 --set optimizer.lr=1e-4
vtk run runs/digits-20260101-120000 --resume
vtk run runs/digits-20260101-120000 --resume --set train.epochs=40 --accept train.epochs
"""


@click.command(cls=RecipeVerb, examples=EXAMPLES, short_help="Train as a recipe says, then evaluate.")
@click.argument("recipe")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", help="The run's directory; new, under runs/ by default."
)
@sets_option
@demo_option
@click.option("--resume", is_flag=True, help="Go on exactly where an interrupted run stopped.")
@click.option(
    "--accept",
    multiple=True,
    metavar="KEY",
    help="With --resume: go on although this has changed since the run began, e.g. train.epochs. Repeatable.",
)
@device_option
@click.option("--quiet", "-q", is_flag=True, help="Print nothing but errors and, at the end, the run's directory.")
@click.option(
    "--trace-hooks",
    is_flag=True,
    help="At the end show which plugin answered each hook, in what order and how long it took; hooks.json keeps it.",
)
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    recipe: str,
    out: Path | None,
    sets: tuple[str, ...],
    demo: bool,
    resume: bool,
    accept: tuple[str, ...],
    device: str | None,
    quiet: bool,
    trace_hooks: bool,
    as_json: bool,
) -> None:
    """Train as RECIPE says, then evaluate the result and save it.

    RECIPE is a recipe file, the name of a shipped recipe (`vtk recipes ls`), a folder of images with one sub-folder
    for each class, a run's directory, or an image that carries its recipe.
    """
    from toolkit.hooks.trace import record_calls

    target = target_of(ctx, recipe)
    if resume:
        out = resume_directory(target, out)
    elif accept:
        raise click.UsageError("--accept goes with --resume: it says what may have changed since the run began")
    asked = early_calls(ctx)
    with record_calls(asked):
        resolved = load_target(target, sets=sets, flags=given_flags(ctx), demo=demo, device=device)
    with _taken_up(out if resume else None):
        outcome = _execute(resolved, out, resume, accept, quiet, asked if trace_hooks else None)
    if as_json:
        from toolkit.cli.output import print_json

        print_json(dataclasses.asdict(outcome))
    elif quiet:
        echo_exact(f"{outcome.directory}\n")
    else:
        present(outcome)


def _taken_up(directory: Path | None) -> AbstractContextManager[None]:
    """Around a run that goes on, if it does."""
    if directory is None:
        return nullcontext()
    from toolkit.run.checkpoint.moved import reraise_with_origin

    return reraise_with_origin(directory)


def resume_directory(target: Target, out: Path | None) -> Path:
    """The directory of the run to go on with."""
    if out is None and target.run_directory is None:
        raise click.UsageError("--resume needs the run's directory: vtk run RUN --resume, or RECIPE --out RUN --resume")
    if out is not None and target.run_directory is not None and out.resolve() != target.run_directory.resolve():
        raise click.UsageError("with --resume, the run's directory itself is where the run goes on; leave out --out")
    directory = out or target.run_directory
    assert directory is not None
    return directory


def _execute(
    resolved: ResolvedRecipe,
    out: Path | None,
    resume: bool,
    accept: Sequence[str],
    quiet: bool,
    traced: list[EarlyCall] | None,
) -> Outcome:
    """Run it; with a list of what was asked before, trace the hooks."""
    from toolkit.run.runner import execute
    from toolkit.system.terminal import progress_console

    console = progress_console(quiet=quiet)
    if traced is None:
        return execute(resolved, console=console, out=out, resume=resume, accept=accept)
    from toolkit.cli.output import table_lines
    from toolkit.hooks.trace import COLUMNS, HookTrace

    trace = HookTrace(early=traced)
    try:
        return execute(resolved, console=console, out=out, resume=resume, accept=accept, trace=trace)
    finally:
        for line in table_lines(COLUMNS, trace.rows()):
            echo(line, err=True)


def present(outcome: Outcome) -> None:
    """What came out, where it is, and what to type next."""
    for line in summary(outcome):
        echo(line)


def summary(outcome: Outcome) -> list[str]:
    """The closing lines of a run."""
    from toolkit.run.run import metric_line
    from toolkit.system.progress import clock

    lines = [""]
    if outcome.metrics:
        demo = "  (a demo: says nothing about the real task)" if outcome.demo else ""
        lines.append(f"{outcome.split or 'result'}: {metric_line(outcome.metrics)}{demo}")
    if outcome.stop_reason:
        lines.append(outcome.stop_reason)
    lines.append(f"{_counted(outcome.epochs, 'epoch')}, {_counted(outcome.steps, 'step')} in {clock(outcome.seconds)}")
    places: dict[str, Any] = {
        "run": outcome.directory,
        "recipe": outcome.directory / "recipe.yaml",
        "bundle": outcome.bundle,
        "report": outcome.report,
        "next": f"vtk predict {outcome.directory} IMAGE..." if outcome.bundle else None,
    }
    return [*lines, *(f"{name:8}{place}" for name, place in places.items() if place is not None)]


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
