"""``vtk new-plugin``: a complete distribution to begin one's own task or extension with."""

from __future__ import annotations

from pathlib import Path

import click

from toolkit.cli.echo import echo
from toolkit.cli.verb import Verb

EXAMPLES = """
vtk new-plugin shapes                       a task, in the new folder vtk-shapes
vtk new-plugin slack-notes --kind extension
vtk new-plugin shapes --out work/vtk-shapes --license MIT
"""
LICENSES = ("Apache-2.0", "MIT", "BSD-3-Clause")


@click.command(cls=Verb, examples=EXAMPLES, short_help="Begin a task or an extension of your own.")
@click.argument("name")
@click.option("--kind", type=click.Choice(["task", "extension"]), default="task", show_default=True)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", help="The new folder; by default vtk-NAME in this one."
)
@click.option("--license", "license_id", type=click.Choice(LICENSES), default=LICENSES[0], show_default=True)
def command(name: str, kind: str, out: Path | None, license_id: str) -> None:
    """Write a complete distribution that can be installed, tested and published: a small task that learns, or a small
    extension that works, with a recipe, tests, a CI file and a licence.

    NAME is what recipes will say, e.g. `task: shapes`. The distribution is called vtk-NAME.
    """
    from toolkit.scaffold.scaffold import create, read_name

    names = read_name(name)
    folder = out or Path(names.distribution)
    for path in create(names, folder, kind=kind, license_id=license_id):
        echo(f"  {path}")
    echo(f"\n{folder} is ready. Next:\n")
    echo(f"  cd {folder}\n  pip install -e '.[dev]'\n  pytest\n  vtk run {names.plugin}")
