"""``vtk tune``: find out what a recipe should be set to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolkit.cli.echo import echo
from toolkit.cli.options import Number, demo_option, device_option, json_option, sets_option
from toolkit.cli.output import print_json, print_table
from toolkit.cli.target import RecipeVerb, given_flags, load_target, target_of

if TYPE_CHECKING:
    from toolkit.tune.lr_finder import RangeTest

EXAMPLES = """
vtk tune digits --lr
vtk tune recipes/catsdogs.yaml --demo --lr --out rates.png
vtk tune mine.yaml --lr --rates 300 --set optimizer.name=sgd --json
"""


@click.command(cls=RecipeVerb, examples=EXAMPLES, short_help="Find a learning rate for a recipe.")
@click.argument("recipe")
@click.option("--lr", "rate", is_flag=True, help="Look for the learning rate, by a range test.")
@click.option(
    "--rates",
    "steps",
    type=click.IntRange(10, 100_000),
    default=100,
    show_default=True,
    help="How many rates are tried, one at each step.",
)
@click.option("--from", "first", type=Number(1e6), default=1e-7, show_default=True, help="First rate.")
@click.option("--to", "last", type=Number(1e6), default=10.0, show_default=True, help="Last rate.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("learning-rates.png"),
    show_default=True,
    help="Where the plot goes.",
)
@sets_option
@demo_option
@device_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    recipe: str,
    rate: bool,
    steps: int,
    first: float,
    last: float,
    out: Path,
    sets: tuple[str, ...],
    demo: bool,
    device: str | None,
    as_json: bool,
) -> None:
    """Find out what RECIPE should be set to; --lr looks for the learning rate.

    The rate rises at each step of a short training, from --from to --to, until the loss falls apart. A tenth of the
    rate with the lowest loss is one to train with. The trained weights are thrown away. RECIPE is what `vtk run` takes.
    """
    if not rate:
        raise click.UsageError("say what to look for: --lr")
    if first >= last:
        raise click.UsageError(f"--from {first:g} must be below --to {last:g}")
    resolved = load_target(target_of(ctx, recipe), sets=sets, flags=given_flags(ctx), demo=demo, device=device)

    from toolkit.tune.lr_finder import draw_range_test

    found = _test(resolved, first, last, steps)
    _write(out, lambda path: draw_range_test(found, path))
    if as_json:
        print_json(as_document(found, out))
    else:
        show(found, out)


def _test(resolved: Any, first: float, last: float, steps: int) -> RangeTest:
    """The range test in a directory that vanishes again."""
    from toolkit.run.setup import prepare
    from toolkit.system.files import scratch_directory
    from toolkit.system.process import alone
    from toolkit.system.signals import catch_signals
    from toolkit.system.terminal import progress_console
    from toolkit.tune.lr_finder import find_rate

    console = progress_console()
    with scratch_directory("vtk-tune-") as scratch, alone(), catch_signals() as interrupt:
        run = prepare(resolved, console=console, directory=scratch, interrupt=interrupt)
        with console.status(f"testing rates from {first:g} to {last:g}") as status:
            return find_rate(
                run, first=first, last=last, steps=steps, each=lambda n: status.update(f"step {n + 1} of {steps}")
            )


def _write(path: Path, draw: Any) -> None:
    from toolkit.system.files import whole_file, write_error

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(path, error) from error
    with whole_file(path) as temporary:
        draw(temporary)


def as_document(found: RangeTest, plot: Path) -> dict[str, Any]:
    """The test as plain data."""
    return {
        "careful": found.careful,
        "steepest": found.steepest,
        "lowest": found.lowest,
        "diverged": found.diverged,
        "rates": found.rates,
        "losses": found.losses,
        "smoothed": found.smooth,
        "plot": plot,
    }


def show(found: RangeTest, plot: Path) -> None:
    """The suggestions for people."""
    rows = [
        ("a tenth of where the loss is lowest", f"{found.careful:.2g}", "a rate to train with"),
        ("where the loss falls fastest", f"{found.steepest:.2g}", "a bold one"),
        ("where the loss is lowest", f"{found.lowest:.2g}", "too high already"),
    ]
    print_table(("", "rate", ""), rows)
    ended = "the loss fell apart" if found.diverged else "the loss was still in order"
    echo(f"\nended at {found.rates[-1]:.2g} after {len(found.rates)} steps: {ended}")
    echo(f"plot  {plot}")
    echo(f"next  vtk run RECIPE --set optimizer.lr={found.careful:.1e}")
