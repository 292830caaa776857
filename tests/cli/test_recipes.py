"""``vtk recipes``: each copy works where it lands."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from toolkit.errors import ExitCode
from toolkit.recipe.load import load_recipe
from toolkit.recipe.shipped import ShippedRecipe, shipped_recipes

ALL = shipped_recipes()


def test_every_shipped_recipe_is_listed_with_its_task(vtk: Callable) -> None:
    rows = {row["name"]: row for row in json.loads(vtk("recipes", "ls", "--json").out)}
    assert set(rows) == {recipe.name for recipe in ALL}
    for recipe in ALL:
        assert rows[recipe.name]["task"] == load_recipe(recipe.path).recipe.task
        assert rows[recipe.name]["about"] == recipe.title
        assert rows[recipe.name]["distribution"] == "vision-toolkit"
    table = vtk("recipes", "ls").out
    assert all(recipe.title in table for recipe in ALL)


@pytest.mark.parametrize("recipe", ALL, ids=lambda recipe: recipe.name)
def test_show_prints_the_file(recipe: ShippedRecipe, vtk: Callable) -> None:
    assert vtk("recipes", "show", recipe.name).out == recipe.path.read_text()


@pytest.mark.parametrize("recipe", ALL, ids=lambda recipe: recipe.name)
def test_a_copy_says_the_same_where_it_lands(recipe: ShippedRecipe, vtk: Callable, here: Path) -> None:
    said = vtk("recipes", "cp", recipe.name, "sub/mine.yaml")
    assert said.code == ExitCode.OK
    assert all((here / line).is_file() for line in said.out.splitlines())
    original, copy = load_recipe(recipe.path), load_recipe(here / "sub" / "mine.yaml")
    assert {**copy.to_dict(), "name": ""} == {**original.to_dict(), "name": ""}
    for line in (here / "sub" / "mine.yaml").read_text().splitlines():
        if "$schema=" in line:
            assert (here / "sub" / line.split("$schema=")[1].strip()).is_file()


def test_a_copy_replaces_nothing(vtk: Callable, here: Path) -> None:
    name = ALL[0].name
    assert vtk("recipes", "cp", name).code == ExitCode.OK
    (here / f"{name}.yaml").write_text("mine")
    said = vtk("recipes", "cp", name)
    assert said.code == ExitCode.CANNOT_CREATE
    assert (here / f"{name}.yaml").read_text() == "mine"
    assert vtk("recipes", "cp", name, "--force").code == ExitCode.OK
    assert (here / f"{name}.yaml").read_text() == ALL[0].path.read_text()
