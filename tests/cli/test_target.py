"""What a recipe argument stands for, and flags that come from the recipe's task."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from toolkit.cli.run import command
from toolkit.cli.target import Target, find_recipe, read_target
from toolkit.recipe.shipped import shipped_recipes


@pytest.mark.usefixtures("here")
def test_a_folder_is_data_for_the_recipe_named_folder() -> None:
    Path("photos").mkdir()
    assert read_target("photos") == Target("folder", (("--images", "photos"),))


@pytest.mark.usefixtures("here")
def test_a_folder_with_a_recipe_in_it_is_a_run() -> None:
    Path("runs/a").mkdir(parents=True)
    Path("runs/a/recipe.yaml").touch()
    assert read_target("runs/a") == Target("runs/a", run_directory=Path("runs/a"))


def test_a_shipped_name_goes_before_a_folder_of_that_name(here: Path) -> None:
    name = shipped_recipes()[0].name
    (here / name).mkdir()
    assert read_target(name) == Target(name)
    assert read_target(f"{name}/").flags == (("--images", f"{name}/"),)


@pytest.mark.parametrize(
    ("args", "recipe"),
    [
        (["toy.yaml", "--out", "x"], "toy.yaml"),
        (["--out", "other.yaml", "toy.yaml"], "toy.yaml"),
        (["--out=other.yaml", "toy.yaml"], "toy.yaml"),
        (["--content", "a.jpg", "toy.yaml"], "toy.yaml"),
        (["--content", "photos", "toy.yaml"], "toy.yaml"),
        (["--quiet", "--demo", "photos"], "photos"),
        (["--set", "train.epochs=3", "out.png"], "out.png"),
        (["--", "toy.yaml"], "toy.yaml"),
        (["--quiet"], None),
        ([], None),
    ],
)
def test_the_recipe_is_found_among_flags_that_are_not_known_yet(args: list[str], recipe: str, here: Path) -> None:
    (here / "photos").mkdir()
    assert find_recipe(args, command.params) == recipe


@pytest.mark.parametrize(
    "args", [("toy.yaml", "--count", "24"), ("--count", "24", "toy.yaml"), ("toy.yaml", "--count=24")]
)
def test_a_tasks_flag_sets_its_key(args: tuple[str, ...], vtk: Callable) -> None:
    document = json.loads(vtk("check", *args, "--json").out)
    assert document["values"]["data.count"] == {"value": 24, "origin": "--count 24"}
    assert document["samples"]["train"] == 24


def test_help_with_a_recipe_shows_the_tasks_flags(vtk: Callable) -> None:
    with_recipe = vtk("run", "toy.yaml", "--help").out
    assert "How many samples are drawn." in with_recipe
    assert "How many samples are drawn." not in vtk("run", "--help").out


def test_help_with_a_broken_recipe_is_help_all_the_same(vtk: Callable) -> None:
    said = vtk("run", "nowhere.yaml", "--help")
    assert (said.code, said.err) == (0, "")
    assert "--resume" in said.out
