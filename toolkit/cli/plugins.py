"""``vtk plugins``: what is installed, from metadata alone."""

from __future__ import annotations

import click

from toolkit.cli.options import json_option
from toolkit.cli.output import print_json, print_table
from toolkit.cli.verb import Verb

COLUMNS = ("name", "kind", "distribution", "version", "status", "summary")

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
        print_json([{**{column: getattr(p, column) for column in COLUMNS}, "value": p.value} for p in found])
        return
    # The summary is the distribution's; it says nothing about one of the many plugins that come with the toolkit.
    rows = [[p.name, p.kind, p.distribution, p.version, p.status, "" if p.builtin else p.summary] for p in found]
    print_table(COLUMNS, rows)
