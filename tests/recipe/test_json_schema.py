from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from toolkit.recipe.json_schema import json_schema
from toolkit.recipe.load import load_recipe
from toolkit.recipe.problems import RecipeError
from toolkit.recipe.resolved import ResolvedRecipe
from toolkit.recipe.yaml.nodes import to_python
from toolkit.recipe.yaml.text import compose_file

Accepts = Callable[[str], bool]

VALID = [
    "",
    "seed: 1\ntrain: {epochs: 3}",
    "optimizer: {lr: 0.1}",
    "optimizer: {name: sgd, momentum: 0.9}",
    "data: {classes: [a], size: [1, 2], weights: {a: 0.5}}",
    "data: {name: table, file: a.csv}",
    "data: {name: list, file: a.csv}",
    "augment: [{name: flip}, {name: crop, size: 3}, {name: crop, size: [1, 2]}]",
    "stages: [{epochs: 1, freeze: true, optimizer: {name: lbfgs}, schedule: {name: step, step_size: 2}}]",
    "loader: {workers: auto}",
    "loader: {workers: 2}",
    "extensions: {counter: {every: 2}, plain: true, tensorboard: false, progress: }",
    "demo: {optimizer: {lr: 1}, data: {size: [1, 1]}, seed: 3}",
    "demo:",
    "demo: true",
    "train: {clip_norm: }",
]
INVALID = [
    "sed: 1",
    "train: {epoch: 1}",
    "seed: x",
    "seed: '1'",
    "seed: -1",
    "train: {epochs: 0}",
    "train: 3",
    "optimizer: {name: sdg}",
    "optimizer: {momentum: 0.9}",
    "optimizer: sgd",
    "data: {name: table}",
    "data: {size: [1]}",
    "data: {size: [1, 2, 3]}",
    "data: {classes: [1]}",
    "augment: [{p: 0.5}]",
    "stages: [{epochs: 1, freze: true}]",
    "stages: {}",
    "extensions: {counter: {evry: 2}}",
    "extensions: {nothing: {}}",
    "extensions: {plain: {x: 1}}",
    "extensions: [counter]",
    "extends: 3",
    "demo: 3",
    "loader: {workers: many}",
    "model: {width: 6}",
]


@pytest.fixture(scope="module")
def schema(sample_site: object) -> dict[str, Any]:
    return json_schema("sample")


@pytest.fixture(scope="module")
def accepts(schema: dict[str, Any]) -> Accepts:
    validator = jsonschema.Draft202012Validator(schema)

    def check(text: str) -> bool:
        node = compose_file(text.encode(), "a.yaml")
        return bool(validator.is_valid(None if node is None else to_python(node)))

    return check


def test_is_a_valid_schema(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    assert json.loads(json.dumps(schema)) == schema


@pytest.mark.parametrize("text", VALID)
def test_takes_what_the_loader_takes(accepts: Accepts, load: Callable[..., ResolvedRecipe], text: str) -> None:
    load(text)
    assert accepts(f"task: sample\n{text}")


@pytest.mark.parametrize("text", INVALID)
def test_refuses_what_the_loader_refuses(accepts: Accepts, load: Callable[..., ResolvedRecipe], text: str) -> None:
    with pytest.raises(RecipeError):
        load(text)
    assert not accepts(f"task: sample\n{text}")


def test_a_file_that_extends_may_leave_out_what_the_base_has(accepts: Accepts) -> None:
    assert accepts("extends: base\ndata: {column: x}\noptimizer: {momentum: 0.5}\n")
    assert not accepts("extends: base\ndata: {colum: x}\n")
    assert not accepts("extends: base\noptimizer: {momentum: x}\n")
    assert not accepts("seed: 3\n")


def test_the_demo_may_leave_out_what_the_recipe_has(accepts: Accepts) -> None:
    assert accepts("task: sample\ndata: {name: table, file: a}\ndemo: {data: {column: b}}\n")
    assert not accepts("task: sample\ndemo: {data: {colum: b}}\n")
    assert not accepts("task: sample\ndemo: {demo: {}}\n")


@pytest.mark.parametrize("task", ["sample", "sample:sample"])
def test_the_task_is_named(accepts: Accepts, task: str) -> None:
    assert accepts(f"task: {task}\n")
    assert not accepts("task: other\n")


def test_every_key_is_described(schema: dict[str, Any]) -> None:
    properties = schema["$defs"]["Recipe"]["properties"]
    assert {"task", "data", "extends", "demo", "extensions"} <= set(properties)
    described = [name for name, inner in properties.items() if name != "demo" and "description" not in inner]
    assert set(described) <= {"train", "inference", "optimizer", "schedule", "loader"}


def test_built_in_extensions_only(sample_site: object) -> None:
    properties = json_schema("sample", builtin_only=True)["$defs"]["Recipe"]["properties"]["extensions"]["properties"]
    assert "progress" in properties
    assert "counter" not in properties


def test_a_resolved_recipe_fits(accepts: Accepts, load: Callable[..., ResolvedRecipe]) -> None:
    assert accepts(load("demo: {seed: 1}", demo=True).to_yaml())


def test_shipped_recipes_fit_their_committed_schemas() -> None:
    from toolkit.recipe.shipped import shipped_recipes

    recipes = shipped_recipes()
    assert recipes
    for recipe in recipes:
        task = load_recipe(recipe.path).task.entry.name
        committed = recipe.path.parent / "schemas" / f"{task}.json"
        node = compose_file(recipe.path.read_bytes(), recipe.name)
        assert node is not None
        jsonschema.validate(to_python(node), json.loads(committed.read_text()))


def test_shipped_recipes_name_their_schema_for_editors() -> None:
    from toolkit.recipe.shipped import shipped_recipes

    for recipe in shipped_recipes():
        first = recipe.path.read_text().splitlines()[0]
        assert first.startswith("# yaml-language-server: $schema=schemas/"), recipe.path
        assert (recipe.path.parent / Path(first.partition("$schema=")[2])).is_file()


def test_extensions_of_other_packages_are_known_by_name_and_imported_only_when_asked_for(
    sample_site: object, tmp_path: Path
) -> None:
    import sys

    from plugin_site import Site

    module = "from toolkit import Section, hookimpl\nclass Options(Section):\n    depth: int = 1\nclass Extension:\n"
    module += "    @hookimpl\n    def vtk_config(self):\n        return Options\nplugin = Extension()\n"
    site = Site(tmp_path)
    site.install("far-away", extensions={"far": "far_away:plugin"}, modules={"far_away": module})
    with site.active():
        by_name = json_schema("sample")
        assert "far_away" not in sys.modules
        in_full = json_schema("sample", described=["far"])
        assert "far_away" in sys.modules
    recipe = {"task": "sample", "extensions": {"far": {"deep": 1}}}
    jsonschema.validate(recipe, by_name)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(recipe, in_full)
    jsonschema.validate({"task": "sample", "extensions": {"far": {"depth": 2}}}, in_full)


def test_a_full_name_fits(accepts: Accepts) -> None:
    assert accepts("task: sample\nextensions: {'vision-toolkit:progress': false}\n")
