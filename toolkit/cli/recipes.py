"""``vtk recipes``: the shipped recipes."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from toolkit.cli.echo import echo_exact
from toolkit.cli.options import json_option
from toolkit.cli.output import print_json, print_table
from toolkit.cli.verb import Verb
from toolkit.errors import ExitCode, VtkError

if TYPE_CHECKING:
    from toolkit.recipe.shipped import ShippedRecipe


@click.group(short_help="List, show or copy the shipped recipes.")
def command() -> None:
    """List, show or copy the shipped recipes. Each is a plain YAML file; copy one to begin your own.

    Installed plugins ship recipes too. A plain name means vision-toolkit's own recipe wherever there is one;
    PACKAGE:NAME chooses that of a package.
    """


@command.command(cls=Verb, name="ls", examples="vtk recipes ls\nvtk recipes ls --json")
@json_option
def ls(as_json: bool) -> None:
    """List the shipped recipes, each under the name that chooses it, and the package that each comes from."""
    from toolkit.recipe.shipped import shipped_recipes

    rows = [
        {"name": r.chosen_as, "task": task_of(r), "distribution": r.distribution, "about": r.title, "path": str(r.path)}
        for r in shipped_recipes()
    ]
    if as_json:
        print_json(rows)
        return
    columns = ("name", "task", "distribution", "about")
    print_table(columns, [[row[column] for column in columns] for row in rows])


@command.command(cls=Verb, name="show", examples="vtk recipes show digits")
@click.argument("name")
def show(name: str) -> None:
    """Print a shipped recipe as it is written."""
    from toolkit.recipe.shipped import find_shipped

    echo_exact(find_shipped(name).path.read_text(encoding="utf-8"))


@command.command(cls=Verb, name="cp", examples="vtk recipes cp catsdogs\nvtk recipes cp catsdogs my-pets.yaml")
@click.argument("name")
@click.argument("destination", required=False, type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace files that are there.")
def cp(name: str, destination: Path | None, force: bool) -> None:
    """Copy a shipped recipe, with the recipes that it extends and its schema, so that it works where it lands.

    DESTINATION is a file or a folder; by default the recipe's own name in the present folder.
    """
    from toolkit.recipe.shipped import find_shipped

    recipe = find_shipped(name)
    target = _target(recipe, destination)
    copies = _copies(recipe, target)
    if not force:
        _refuse_to_replace([path for path in copies if path.exists()])
    from toolkit.system.files import write_atomic, write_error

    for path, content in copies.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(path.parent, error, flag="") from error
        write_atomic(path, content, flag="")
        echo_exact(f"{path}\n")


def task_of(recipe: ShippedRecipe) -> str:
    """The task that a shipped recipe, or one that it extends, names; nothing where the recipe cannot be read."""
    from toolkit.recipe.source import extends_chain, read_document
    from toolkit.recipe.yaml.nodes import ScalarNode

    try:
        chain = extends_chain(read_document(recipe.path))
    except VtkError:
        return ""
    nodes = [document.root.get("task") for document in reversed(chain)]
    return next((str(node.value) for node in nodes if isinstance(node, ScalarNode)), "")


def _target(recipe: ShippedRecipe, destination: Path | None) -> Path:
    if destination is None:
        return Path(recipe.path.name)
    return destination / recipe.path.name if destination.is_dir() else destination


def _copies(recipe: ShippedRecipe, target: Path) -> dict[Path, str]:
    """Content by path: the recipe at ``target``; what it names by a relative path lies as it did, seen from there."""
    from toolkit.recipe.source import extends_chain, read_document

    shipped = recipe.path.resolve()
    copies = {target: shipped.read_text(encoding="utf-8")}
    for document in reversed(extends_chain(read_document(shipped))[:-1]):
        if document.path is not None and _names_by_path(copies, document.path):
            copies[_landed(document.path, shipped, target)] = document.path.read_text(encoding="utf-8")
    for path, content in [*copies.items()]:
        schema = _schema_path(content)
        source = shipped.parent / schema if schema else None
        if schema and source is not None and source.is_file():
            copies[path.parent / schema] = source.read_text(encoding="utf-8")
    return copies


def _names_by_path(copies: dict[Path, str], path: Path) -> bool:
    """Whether a copied recipe extends the file by its name with the suffix. By the bare name it is found anyway."""
    return any(line.split("#")[0].strip().endswith(path.name) for text in copies.values() for line in text.splitlines())


def _landed(path: Path, shipped: Path, target: Path) -> Path:
    return target.parent / os.path.relpath(path.resolve(), shipped.parent)


def _schema_path(content: str) -> str | None:
    """The relative path in the editor's schema comment, if there is one."""
    found = re.search(r"^# yaml-language-server: \$schema=(\S+)", content, flags=re.MULTILINE)
    return found[1] if found and ":" not in found[1] and not found[1].startswith("/") else None


def _refuse_to_replace(existing: list[Path]) -> None:
    if existing:
        raise VtkError(
            "is there already",
            place=str(existing[0]),
            hint="Give another destination, or --force to replace it.",
            code=ExitCode.CANNOT_CREATE,
        )
