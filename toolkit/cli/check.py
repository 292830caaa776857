"""``vtk check``: validate a recipe and show what a run would do."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import TYPE_CHECKING, Any

import click

from toolkit.cli.options import demo_option, device_option, json_option, sets_option
from toolkit.cli.output import print_json, print_table
from toolkit.cli.target import RecipeVerb, given_flags, load_target, read_target

if TYPE_CHECKING:
    from toolkit.run.plan import Plan, StagePlan

EXAMPLES = """
vtk check digits
vtk check recipes/catsdogs.yaml --demo
vtk check photos/ --data                    also one batch and one step
vtk check mine.yaml --set train.epochs=3 --json
"""


@click.command(cls=RecipeVerb, examples=EXAMPLES, short_help="Validate a recipe and show the plan.")
@click.argument("recipe")
@click.option(
    "--data", "trial", is_flag=True, help="Also build one batch and do one step on a model that is thrown away."
)
@sets_option
@demo_option
@device_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    recipe: str,
    trial: bool,
    sets: tuple[str, ...],
    demo: bool,
    device: str | None,
    as_json: bool,
) -> None:
    """Validate RECIPE, then show the plan: each value with its origin, classes, steps, parameters, downloads.

    Without --data nothing is downloaded, and nothing is ever written. RECIPE is what `vtk run` takes.
    """
    resolved = load_target(read_target(recipe), sets=sets, flags=given_flags(ctx), demo=demo, device=device)

    from rich.console import Console

    from toolkit.run.plan import make_plan

    plan = make_plan(resolved, console=Console(file=sys.stderr), trial=trial)
    if as_json:
        print_json(as_document(plan))
    else:
        show(plan)
    if plan.problem is not None:
        raise plan.problem


def as_document(plan: Plan) -> dict[str, Any]:
    """The plan as plain data."""
    document = {f.name: getattr(plan, f.name) for f in dataclasses.fields(plan) if f.name not in {"problem", "values"}}
    document["stages"] = [dataclasses.asdict(stage) for stage in plan.stages]
    document["trial"] = dataclasses.asdict(plan.trial) if plan.trial else None
    document["values"] = {key: {"value": v, "origin": origin} for key, (v, origin) in plan.values.items()}
    document["problem"] = plan.problem.message if plan.problem else None
    return document


def show(plan: Plan) -> None:
    """The plan for people."""
    click.echo(f"{plan.name}: {plan.task}{' · DEMO: small stand-in data' if plan.demo else ''}\n")
    print_table(("key", "value", "from"), [[key, _short(v), origin] for key, (v, origin) in plan.values.items()])
    for title, lines in sections(plan):
        click.echo(f"\n{title}")
        for line in lines:
            click.echo(f"  {line}")


def sections(plan: Plan) -> list[tuple[str, list[str]]]:
    """What is known beyond the values, under headings; what is not known is left out."""
    found = [
        ("data", data_lines(plan)),
        ("stages", [stage_line(stage) for stage in plan.stages]),
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
