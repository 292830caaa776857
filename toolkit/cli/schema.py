"""``vtk schema``: what a task's recipes may say."""

from __future__ import annotations

import click

from toolkit.cli.echo import echo
from toolkit.cli.output import print_json
from toolkit.cli.verb import Verb

EXAMPLES = """
vtk schema classification > classification.json
vtk schema --markdown
"""


@click.command(cls=Verb, examples=EXAMPLES, short_help="Print a task's recipe schema.")
@click.argument("task", required=False)
@click.option("--markdown", is_flag=True, help="Print the reference of every built-in task's keys, as Markdown.")
@click.option(
    "--with",
    "described",
    multiple=True,
    metavar="EXTENSION",
    help="Describe the options of this extension of another package too. Repeatable.",
)
def command(task: str | None, markdown: bool, described: tuple[str, ...]) -> None:
    """Print the JSON Schema of TASK's recipes, for editors.

    An editor takes it by a recipe's first line: # yaml-language-server: $schema=classification.json
    """
    if markdown:
        from toolkit.recipe.reference import reference_markdown

        echo(reference_markdown())
    elif task is None:
        raise click.UsageError("name a task (`vtk plugins` lists them), or give --markdown")
    else:
        from toolkit.recipe.json_schema import json_schema

        print_json(json_schema(task, described=described))
