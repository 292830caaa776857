"""``vtk bench``: how fast a recipe trains on this machine, where the time goes, and what to change first."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from toolkit.cli.echo import echo
from toolkit.cli.options import Number, demo_option, device_option, json_option, sets_option
from toolkit.cli.output import print_json, print_table
from toolkit.cli.target import RecipeVerb, given_flags, load_target, target_of

if TYPE_CHECKING:
    from toolkit.profile.bench_result import Bench

EXAMPLES = """
vtk bench recipes/catsdogs.yaml --demo
vtk bench photos/ --set train.batch_size=64
vtk bench mine.yaml --seconds 60 --json
"""


@click.command(cls=RecipeVerb, examples=EXAMPLES, short_help="Measure how fast a recipe trains here.")
@click.argument("recipe")
@click.option(
    "--seconds",
    type=Number(86_400),
    default=20.0,
    show_default=True,
    help="Time for measuring, after data and model are built. A slow step is still taken a few times.",
)
@sets_option
@demo_option
@device_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    recipe: str,
    seconds: float,
    sets: tuple[str, ...],
    demo: bool,
    device: str | None,
    as_json: bool,
) -> None:
    """Measure how fast RECIPE trains on this machine, and say what to change first.

    The data path alone, the model alone on a batch that lies ready, then both as in training; where the time of a step
    goes; and other settings where they might help. Nothing is kept. RECIPE is what `vtk run` takes.
    """
    resolved = load_target(target_of(ctx, recipe), sets=sets, flags=given_flags(ctx), demo=demo, device=device)
    found = _measure(resolved, seconds)
    if as_json:
        print_json(as_document(found))
    else:
        show(found)


def _measure(resolved: Any, seconds: float) -> Bench:
    """The measurement in a directory that vanishes again."""
    from toolkit.profile.bench import measure
    from toolkit.system.allocator import tune_allocator
    from toolkit.system.files import scratch_directory
    from toolkit.system.process import alone
    from toolkit.system.signals import catch_signals
    from toolkit.system.terminal import progress_console

    tune_allocator()
    console = progress_console()
    with (
        scratch_directory("vtk-bench-") as scratch,
        alone(),
        catch_signals() as interrupt,
        console.status("") as status,
    ):

        def say(what: str) -> None:
            if console.is_terminal:
                status.update(f"measuring: {what}")
            else:
                console.print(f"measuring: {what}", highlight=False, soft_wrap=True)

        return measure(resolved, console=console, directory=scratch, seconds=seconds, say=say, interrupt=interrupt)


def as_document(found: Bench) -> dict[str, Any]:
    """What was measured as plain data."""
    document = dataclasses.asdict(found)
    for trial, each in zip(document["trials"], found.trials, strict=True):
        trial["gain"] = each.gain
    return document | {"limit": found.limit or None, "of_ceiling": found.of_ceiling}


def show(found: Bench) -> None:
    """What was measured for people."""
    echo(f"{found.recipe}: {found.task}{' · DEMO: small stand-in data' if found.demo else ''}")
    echo(f"{found.device} · {found.precision}: {found.precision_why} · threads for torch: {found.threads}")
    echo(f"batches of {found.samples} are prepared {found.loader}\n")
    sides = (("the data path alone", found.data), ("the model alone", found.model), ("the whole", found.whole))
    rows = [(name, _number(r.per_second), f"{r.batches}", f"{r.seconds:.1f}") for name, r in sides if r is not None]
    print_table(("", "images/s", "steps", "seconds"), rows)
    if found.of_ceiling is not None:
        side = {"data": "data path", "model": "model"}[found.limit]
        echo(f"\nThe whole reaches {found.of_ceiling:.0%} of the ceiling, which is the {side} alone.")
    _show_parts("where the time of a step goes", found.step_parts)
    _show_parts("where the time goes that one thread takes to fetch a batch", found.fetch_parts)
    if found.trials:
        echo("")
        others = [(t.setting, _number(t.per_second), f"{t.gain:.2f} times the {t.side} alone") for t in found.trials]
        print_table(("other settings", "images/s", ""), others)
    echo("\nwhat to change first")
    for number, advice in enumerate(found.advice, start=1):
        echo(f"  {number}. {advice['change']}: {advice['why']}.")
    if found.unknown:
        echo("\nnot known")
        for what, why in found.unknown.items():
            echo(f"  {what}: {why}.")


def _show_parts(title: str, parts: dict[str, float]) -> None:
    if not parts:
        return
    total = sum(parts.values()) or 1.0
    echo("")
    print_table((title, "ms", "share"), [(name, _number(1000 * s), f"{s / total:.0%}") for name, s in parts.items()])


def _number(value: float) -> str:
    """Three significant digits, without an exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}" if value >= 1 else f"{value:.2f}"
