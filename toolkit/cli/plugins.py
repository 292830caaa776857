"""``vtk plugins``: what is installed, from metadata alone; and what it is worth, from importing it when asked to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from toolkit.cli.echo import echo
from toolkit.cli.options import Number, json_option
from toolkit.cli.output import print_json, print_table
from toolkit.cli.plugin_facts import COLUMNS, facts
from toolkit.cli.verb import Verb, VerbGroup
from toolkit.errors import ExitCode
from toolkit.hooks.entry import CORE, STATUSES, Plugin

if TYPE_CHECKING:
    from toolkit.cli.plugin_check import Row
    from toolkit.hooks.entry import Kind
    from toolkit.recipe.plugin_check import Examined

TIMEOUT = 60.0

EXAMPLES = """
vtk plugins
vtk plugins --check
vtk plugins show classification
vtk --no-plugins plugins --json
"""


class _Listing(VerbGroup):
    """Explains every status in its help."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options, then what each status means."""
        super().format_options(ctx, formatter)
        with formatter.section("Status"):
            formatter.write_dl(list(STATUSES.items()))


@click.group(
    cls=_Listing,
    invoke_without_command=True,
    examples=EXAMPLES,
    short_help="List, check or show the installed tasks and extensions.",
)
@click.option(
    "--check",
    is_flag=True,
    help="Import each in a process of its own, check it and the recipes that it ships; "
    f"exit with {int(ExitCode.CHECK_FAILED)} if one is broken or incompatible.",
)
@click.option(
    "--timeout",
    type=Number(86_400),
    default=TIMEOUT,
    show_default=True,
    metavar="SECONDS",
    help="With --check: how long a plugin may take.",
)
@json_option
@click.pass_context
def command(ctx: click.Context, check: bool, timeout: float, as_json: bool) -> None:
    """List the installed tasks and extensions, built-in and of other packages.

    Unless --check is given none of them is imported, so a broken one cannot get in the way.
    """
    if ctx.invoked_subcommand is not None:
        return
    from toolkit.hooks.catalogue import Catalogue

    catalogue = Catalogue()
    if check:
        from toolkit.cli.plugin_check import check_all

        ctx.exit(_present(check_all(catalogue, timeout), as_json, ctx))
    found = catalogue.plugins
    if as_json:
        print_json([facts(p) for p in found])
        return
    print_table(COLUMNS, [[p.name, p.kind, p.distribution, p.version, p.status, _about(p)] for p in found])


def _about(plugin: Plugin) -> str:
    """Why the status is what it is, else what the distribution says of itself."""
    return plugin.reason or ("" if plugin.builtin else plugin.summary)


def _present(rows: Sequence[Row], as_json: bool, ctx: click.Context) -> ExitCode:
    """Print what was found; the exit code that says whether all is well."""
    from toolkit.cli.verb import Session

    if as_json:
        print_json([row.document for row in rows])
    else:
        print_table((*COLUMNS[:-1], "seconds", "about"), [row.cells for row in rows])
    session = ctx.find_object(Session)
    for row in rows:
        if session is not None and session.traceback and row.traceback:
            echo(f"\n{row.name} of {row.distribution}:\n{row.traceback}", err=True)
    return ExitCode.OK if all(row.well for row in rows) else ExitCode.CHECK_FAILED


@command.command(cls=Verb, name="show", examples="vtk plugins show classification\nvtk plugins show early_stopping")
@click.argument("name")
@click.option("--kind", type=click.Choice(["task", "extension"]), help="Where a task and an extension share the name.")
@json_option
def show(name: str, kind: Kind | None, as_json: bool) -> None:
    """Show what one plugin takes and does: its flags, keys, hooks and recipes. This imports it."""
    from toolkit.hooks.catalogue import Catalogue
    from toolkit.recipe.plugin_check import examine

    catalogue = Catalogue()
    kinds: list[Kind] = [kind] if kind else ["task", "extension"]
    known = [k for k in kinds if catalogue.knows(name, k)]
    if len(known) > 1:
        raise click.UsageError(f"a task and an extension are called {name!r}; say --kind task or --kind extension")
    entry = catalogue.find(name, (known or kinds)[0])
    examined = examine(entry)
    document = _document(entry, examined)
    if as_json:
        print_json(document)
    else:
        _print(entry, document)


def _document(entry: Plugin, examined: Examined) -> dict[str, Any]:
    from toolkit.recipe.schema.key_rows import own_keys

    flags = [
        {"flag": flag.flag, "key": flag.key, "help": flag.help, "repeatable": flag.multiple} for flag in examined.flags
    ]
    return {
        **facts(entry),
        "hooks": examined.hooks,
        "flags": flags,
        "keys": list(own_keys(examined.loaded.schema)),
        "recipes": _recipes_of(entry),
    }


def _recipes_of(entry: Plugin) -> list[dict[str, str]]:
    """The recipes of its distribution, of a task those that are its own."""
    from toolkit.cli.recipes import task_of
    from toolkit.recipe.shipped import shipped_recipes

    found = [recipe for recipe in shipped_recipes() if recipe.distribution == entry.distribution]
    if entry.kind == "task":
        found = [recipe for recipe in found if entry.goes_by(task_of(recipe))]
    elif entry.builtin:
        found = []
    return [{"name": recipe.chosen_as, "about": recipe.title} for recipe in found]


def _print(entry: Plugin, document: dict[str, Any]) -> None:
    lines = {
        "from": entry.owner,
        "about": _about(entry),
        "homepage": entry.homepage,
        "entry point": entry.value,
        "needs": f"{CORE}{entry.needs}" if entry.needs else "",
        "hooks": ", ".join(document["hooks"]),
    }
    echo(f"{entry.kind} {entry.name}")
    for label, text in lines.items():
        if text:
            echo(f"  {label:12}{text}")
    tables = {
        "flags": ("flag", "key", "help"),
        "keys": ("key", "type", "default", "meaning"),
        "recipes": ("name", "about"),
    }
    for title, columns in tables.items():
        if document[title]:
            echo(f"\n{title}:")
            print_table(columns, [[row[column] for column in columns] for row in document[title]])
