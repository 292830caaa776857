"""What a recipe argument stands for, and the flags that its task adds to the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolkit.cli.verb import Verb
from toolkit.errors import ExitCode, VtkError
from toolkit.types.options import Option

if TYPE_CHECKING:
    from toolkit.hooks.trace import EarlyCall
    from toolkit.recipe.load import Reading
    from toolkit.recipe.resolved import ResolvedRecipe

FOLDER_RECIPE = "folder"
FOLDER_FLAG = "--images"
_OPTIONS = "vtk.task_options"
_GIVEN = "vtk.task_flags"
_ASKED = "vtk.early_calls"
_TARGETS = "vtk.targets"


@dataclass(frozen=True)
class Target:
    """What to run.

    Args:
        source: what the recipe loader takes: a file, a shipped recipe's name, a run's directory, an image.
        flags: task flags that the argument itself stands for.
        run_directory: the argument, where it is a run's directory.
    """

    source: str
    flags: tuple[tuple[str, str], ...] = ()
    run_directory: Path | None = None

    @cached_property
    def reading(self) -> Reading:
        """The recipe's files, read when they are wanted first."""
        from toolkit.recipe.load import Reading

        return Reading(self.source)


def target_of(ctx: click.Context, text: str) -> Target:
    """What a recipe argument stands for, with what was read of it when its task's flags were looked up."""
    target: Target | None = ctx.meta.get(_TARGETS, {}).get(Path(text))
    return read_target(text) if target is None else target


def read_target(text: str) -> Target:
    """A folder without a recipe in it is data for the shipped recipe ``folder``; everything else is a recipe."""
    from toolkit.recipe.source import RUN_RECIPE

    path = Path(text)
    if text.endswith("/") and not path.exists():
        raise VtkError("there is no such folder", place=text, code=ExitCode.NO_INPUT)
    if not path.is_dir():
        return Target(text)
    if (path / RUN_RECIPE).is_file():
        return Target(text, run_directory=path)
    if "/" not in text and _is_shipped(text):
        return Target(text)
    return Target(FOLDER_RECIPE, ((FOLDER_FLAG, text),))


def load_target(
    target: Target, *, sets: tuple[str, ...], flags: list[tuple[str, str]], demo: bool, device: str | None
) -> ResolvedRecipe:
    """The resolved recipe with everything from the command line applied."""
    from toolkit.recipe.load import load_recipe

    if device is not None:
        sets = (*sets, f"train.device={device}")
    return load_recipe(target.reading, sets=sets, flags=[*target.flags, *flags], demo=demo)


def _is_shipped(name: str) -> bool:
    from toolkit.recipe.shipped import is_shipped

    return is_shipped(name)


class RecipeVerb(Verb):
    """A verb that takes a recipe first, and understands the flags of the recipe's task as its own."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Find the recipe among the arguments, add its task's flags, then parse strictly."""
        wants_help = any(name in args for name in ctx.help_option_names)
        recipe = None if ctx.resilient_parsing else find_recipe(args, self.params)
        if recipe is not None:
            from toolkit.hooks.trace import record_calls

            try:
                with record_calls(early_calls(ctx)):
                    target = read_target(recipe)
                    ctx.meta[_TARGETS] = {Path(recipe): target}
                    options = target.reading.options()
            except VtkError:
                if not wants_help:
                    raise
                options = ()
            ctx.meta[_OPTIONS] = [_click_option(option) for option in options]
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            from toolkit.cli.key_flags import set_instead

            raise set_instead(error, given, _keys_of(ctx, recipe)) from error

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The verb's own parameters and the task's flags."""
        params = super().get_params(ctx)
        return [*params[:-1], *ctx.meta.get(_OPTIONS, []), *params[-1:]]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verb's options, then those of the task under a heading of their own."""
        options = ctx.meta.pop(_OPTIONS, [])
        super().format_options(ctx, formatter)
        if options:
            ctx.meta[_OPTIONS] = options
            with formatter.section("Options of the recipe's task"):
                formatter.write_dl([record for o in options if (record := o.get_help_record(ctx)) is not None])


def given_flags(ctx: click.Context) -> list[tuple[str, str]]:
    """The task's flags that were given, with their values, in the task's order."""
    given: list[tuple[str, str]] = ctx.meta.get(_GIVEN, [])
    return given


def early_calls(ctx: click.Context) -> list[EarlyCall]:
    """The calls of hooks that were made while the recipe was read, so far; a list to add to."""
    calls: list[EarlyCall] = ctx.meta.setdefault(_ASKED, [])
    return calls


def find_recipe(args: Sequence[str], params: Sequence[click.Parameter]) -> str | None:
    """The recipe among raw arguments whose task, and so whose flags, are not known yet.

    The value of an unknown flag looks like an argument too, so a recipe file goes before a folder, and a folder
    before anything else.
    """
    candidates = list(_positionals(args, params))
    for fits in (_is_recipe_like, lambda text: Path(text).is_dir()):
        found = next((text for text in candidates if fits(text)), None)
        if found is not None:
            return found
    return candidates[0] if candidates else None


def _positionals(args: Sequence[str], params: Sequence[click.Parameter]) -> list[str]:
    valued = {name for p in params if isinstance(p, click.Option) and not p.is_flag and not p.count for name in p.opts}
    found: list[str] = []
    rest = iter(args)
    for arg in rest:
        if arg == "--":
            return [*found, *rest]
        if arg in valued:
            next(rest, None)
        elif not arg.startswith("-"):
            found.append(arg)
    return found


def _is_recipe_like(text: str) -> bool:
    return Path(text).suffix in {".yaml", ".yml"} or ("/" not in text and _is_shipped(text))


def _keys_of(ctx: click.Context, recipe: str | None) -> list[str]:
    """Every dotted key of a recipe; none where it cannot be read."""
    from toolkit.recipe.load import load_recipe

    if recipe is None:
        return []
    try:
        target = target_of(ctx, recipe)
        return list(load_recipe(target.reading, flags=target.flags).origins)
    except VtkError:
        return []


def _click_option(option: Option) -> click.Option:
    return click.Option(
        [option.flag],
        multiple=option.multiple,
        help=option.help,
        metavar=option.metavar,
        expose_value=False,
        callback=_collect(option),
    )


def _collect(option: Option) -> Any:
    """Remember the values that were given; recipe and task decide later what they mean."""

    def callback(ctx: click.Context, _param: click.Parameter, value: Any) -> None:
        values = value if option.multiple else [value] if value is not None else []
        ctx.meta.setdefault(_GIVEN, []).extend((option.flag, str(item)) for item in values)

    return callback
