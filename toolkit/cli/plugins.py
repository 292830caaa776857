"""``vtk plugins``: what is installed, from metadata alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from toolkit.cli.options import json_option
from toolkit.cli.output import print_json, print_table
from toolkit.cli.verb import Verb

if TYPE_CHECKING:
    from toolkit.hooks.entry import Plugin

COLUMNS = ("name", "kind", "distribution", "version", "status", "about")
FIELDS = (*COLUMNS[:-1], "reason", "summary", "builtin", "full_name", "value", "needs", "homepage")

EXAMPLES = """
vtk plugins
vtk plugins --json
"""


@click.command(cls=Verb, examples=EXAMPLES, short_help="List the installed tasks and extensions.")
@json_option
def command(as_json: bool) -> None:
    """List the installed tasks and extensions. None of them is imported, so a broken one cannot get in the way."""
    from toolkit.hooks.catalogue import Catalogue

    found = Catalogue().plugins
    if as_json:
        print_json([{field: getattr(p, field) for field in FIELDS} for p in found])
        return
    print_table(COLUMNS, [[p.name, p.kind, p.distribution, p.version, p.status, _about(p)] for p in found])


def _about(plugin: Plugin) -> str:
    """Why the status is what it is, else what the distribution says of itself."""
    return plugin.reason or ("" if plugin.builtin else plugin.summary)
