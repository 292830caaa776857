"""Numbers without a sense: each number of a recipe has a least and a largest value, and an answer in its place."""

from __future__ import annotations

import copy
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml
from every_key import CLASSIFICATION, CLASSIFICATION_CASES, MULTILABEL, MULTILABEL_CASES, REJECTED, Case
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toolkit.errors import ExitCode, VtkError
from toolkit.recipe.json_schema import json_schema
from toolkit.recipe.load import load_text
from toolkit.recipe.problems import RecipeError

TASKS = ("classification", "multilabel", "style")
STYLE = """
task: style
data: {content: a.jpg, styles: [{image: b.jpg, weight: 2, region: {mask: c.png, feather: 0.1}}]}
memory: {tile: 64}
optimizer: {name: lbfgs, lr: 0.5}
schedule: {name: step, step_size: 3}
train: {clip_norm: 1, log_every: 3}
"""
STAGES = STYLE + "stages: [{size: 64, steps: 3, steps_per_epoch: 2, lr: 0.1}, {size: 96, epochs: 2}]\n"
OF_EXTENSIONS = {
    "checkpoints": {"every": 2, "minutes": 3, "keep": 4},
    "early_stopping": {"patience": 2, "min_delta": 0.1},
    "ema": {"decay": 0.9},
    "progress": {"refresh_seconds": 1, "line_seconds": 1},
    "tensorboard": {"points_per_second": 2},
}
PLACE = re.compile(r"recipe:\d+:\d+")


def numbers(node: Any, defs: Mapping[str, Any], path: str, seen: set[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each place of a JSON schema that takes a number, with the keys that lead to it."""
    if isinstance(node, list):
        for item in node:
            yield from numbers(item, defs, path, seen)
    elif isinstance(node, dict):
        if (name := node.get("$ref", "").rpartition("/")[2]) and name not in seen:
            yield from numbers(defs[name], defs, name, seen | {name})
        if node.get("type") in ("integer", "number"):
            yield path, node
        for key, inner in node.items():
            if key == "properties":
                for field, below in inner.items():
                    yield from numbers(below, defs, f"{path}.{field}", seen)
            elif key != "$defs":
                yield from numbers(inner, defs, path, seen)


@pytest.mark.parametrize("task", TASKS)
def test_each_number_of_a_schema_has_both_bounds(task: str) -> None:
    schema = json_schema(task, builtin_only=True)
    found = dict(numbers(schema, schema["$defs"], "", set()))
    assert len(found) > 50
    for path, number in found.items():
        bounded = {"minimum", "exclusiveMinimum"} & set(number) and {"maximum", "exclusiveMaximum"} & set(number)
        assert bounded or "const" in number or "enum" in number, path


Place = tuple[str, dict[str, Any], list[str]]


def resolved(text: str, *sets: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(load_text(text, sets=sets).to_yaml())
    return loaded


def written(case: Case) -> list[str]:
    return [item.replace("{folder}", "/nowhere").replace("{{", "{").replace("}}", "}") for item in case.changed]


def is_number(value: Any) -> bool:
    """Whether it is a number, or holds nothing else."""
    inner = list(value.values()) if isinstance(value, dict) else value
    if isinstance(inner, list):
        return bool(inner) and all(map(is_number, inner))
    return isinstance(inner, int | float) and not isinstance(inner, bool)


def parent_of(tree: Any, path: list[str]) -> Any:
    """The mapping in which a key stands; of a list's items the first."""
    for part in path[:-1]:
        tree = tree[part]
        tree = tree[0] if isinstance(tree, list) else tree
    return tree


def of_image_tasks() -> Iterator[Place]:
    """The name of each numeric key, a recipe in which it stands, and the way to it."""
    for text, cases in ((CLASSIFICATION, CLASSIFICATION_CASES), (MULTILABEL, MULTILABEL_CASES)):
        for key, case in cases.items():
            again = key.startswith("stages.") and "[" in key  # the sections of optimizer and schedule
            if again or case.observer == REJECTED:
                continue
            if is_number(yaml.safe_load(written(case)[-1].partition("=")[2])):
                yield key, resolved(text, *written(case)), [part.partition("[")[0] for part in key.split(".")]


def leaves(tree: Any, path: list[str]) -> Iterator[list[str]]:
    for key, value in tree.items():
        inner = value[0] if isinstance(value, list) and value else value
        if is_number(value):
            yield [*path, key]
        elif isinstance(inner, dict):
            yield from leaves(inner, [*path, key])


def of_style_and_extensions() -> Iterator[Place]:
    """The same where no such cases are; ``bits``, ``batch_size`` and ``accumulate`` of style are choices."""
    extensions = CLASSIFICATION.split("extensions:")[0] + yaml.safe_dump({"extensions": OF_EXTENSIONS})
    for name, text in (("style", STYLE), ("stages", STAGES), ("extensions", extensions)):
        tree = resolved(text)
        for path in leaves(tree, []):
            if name == "style" or path[0] == name:
                yield f"{name}:{'.'.join(path)}", tree, path


@pytest.fixture(scope="module")
def places() -> list[Place]:
    return [*of_image_tasks(), *of_style_and_extensions()]


def refused(text: str) -> VtkError | None:
    try:
        load_text(text)
    except VtkError as error:
        return error
    return None


def answer(tree: dict[str, Any], path: list[str], value: Any) -> VtkError | None:
    """What the recipe with that number comes to; a refusal is quick and names the place."""
    changed = copy.deepcopy(tree)
    parent = parent_of(changed, path)
    old = parent[path[-1]]
    parent[path[-1]] = (
        [value] if isinstance(old, list) else dict.fromkeys(old, value) if isinstance(old, dict) else value
    )
    text = yaml.safe_dump(changed, sort_keys=False)
    began = time.process_time()
    refusal = refused(text)
    assert time.process_time() - began < 2
    if refusal is not None:
        assert refusal.code == ExitCode.RECIPE
        assert PLACE.match(str(refusal)), str(refusal)
    return refusal


def test_numbers_are_found_everywhere(places: list[Place]) -> None:
    assert len(places) > 120
    assert {"train.batch_size", "model[cnn].channels", "loss[focal].gamma"} < {name for name, _, _ in places}


@pytest.mark.parametrize("value", [10**16, -(10**16), 1e308])
def test_a_number_without_a_sense_is_refused_in_its_place(places: list[Place], value: float) -> None:
    taken = [name for name, tree, path in places if answer(tree, path, value) is None]
    assert taken == []


@given(data=st.data(), value=st.integers(-(10**40), 10**40) | st.floats())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_number_has_an_answer(places: list[Place], data: st.DataObject, value: float) -> None:
    _, tree, path = data.draw(st.sampled_from(places))
    answer(tree, path, value)


@pytest.mark.parametrize("number", ["1" * 400, "9e999", "0x" + "f" * 400, "-.inf", ".nan", "1e400", "1" * 5000])
def test_a_number_that_no_machine_holds(number: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_text(f"{CLASSIFICATION}seed: {number}\n")
    assert PLACE.match(str(caught.value))
    with pytest.raises(RecipeError, match="--set seed="):
        load_text(CLASSIFICATION, sets=[f"seed={number}"])
