from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.recipe.load import load_recipe, load_text
from toolkit.recipe.resolved import ResolvedRecipe, dump_yaml
from toolkit.recipe.yaml.nodes import leaves, to_python
from toolkit.recipe.yaml.text import compose_file

FULL = """\
seed: 3
name: "1e-3"
optimizer: {name: sgd, lr: 1e-5}
schedule: {name: multistep, milestones: [1, 2]}
data: {path: "no", classes: ["no", "null", "1", "~", "é"], weights: {"1": 0.5}}
augment: [{name: flip, p: 1}, {name: crop, size: [3, 4]}]
model: {dropout: 0.5, note: "#x: {y"}
stages: [{epochs: 2, optimizer: {name: lbfgs}}]
extensions: {counter: {to: a/b}, tensorboard: false}
demo: {seed: 4}
"""


@pytest.mark.parametrize("demo", [False, True])
def test_yaml_loads_again_to_an_equal_recipe(
    load: Callable[..., ResolvedRecipe], write: Callable[[str, str], Path], demo: bool
) -> None:
    first = load(FULL, demo=demo, sets=["train.epochs=2"])
    write("again.yaml", first.to_yaml())
    second = load_recipe("again.yaml")
    assert second.recipe == first.recipe
    assert second.extensions == first.extensions
    assert list(second.extensions) == list(first.extensions)
    assert second.demo is demo
    assert second.to_dict() == first.to_dict()
    assert "default" not in second.origins.values()


def test_json_loads_again_to_an_equal_recipe(load: Callable[..., ResolvedRecipe]) -> None:
    first = load(FULL)
    assert load_text(first.to_json()).recipe == first.recipe
    assert json.loads(first.to_json()) == first.to_dict()


def test_asking_for_the_demo_of_a_resolved_demo_changes_nothing(load: Callable[..., ResolvedRecipe]) -> None:
    first = load(FULL, demo=True)
    assert load_text(first.to_yaml(), demo=True).recipe == first.recipe


def test_the_header_says_where_it_is_from_and_that_it_is_a_demo(load: Callable[..., ResolvedRecipe]) -> None:
    assert load(FULL).to_yaml().startswith("# Every value of this run, resolved from a.yaml\ntask: sample\n")
    assert "# This is a demo" in load(FULL, demo=True).to_yaml()


def test_every_leaf_has_an_origin(load: Callable[..., ResolvedRecipe]) -> None:
    resolved = load(FULL)
    keys = {".".join(map(str, path)) for path, _ in leaves(resolved.recipe.model_dump(mode="json"))}
    assert set(resolved.origins) == keys


LETTERS = st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\ufeff")
TEXT = st.text(LETTERS, max_size=30) | st.sampled_from(
    [
        "no",
        "1e-3",
        "1",
        "",
        "~",
        "null",
        "0o17",
        "0x1",
        ".5",
        "1_000",
        "2024-01-01",
        "=",
        "<<",
        "- a",
        "a: b",
        "#",
        "a\nb",
    ]
)
NUMBERS = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT.filter(bool), inner, max_size=4),
    max_leaves=15,
)


@given(VALUES)
@settings(max_examples=300, deadline=None)
def test_what_is_dumped_is_read_back(value: Any) -> None:
    text = dump_yaml(value)
    node = compose_file(text.encode(), "a.yaml")
    assert (None if node is None else to_python(node)) == value


@given(st.dictionaries(TEXT.filter(bool), NUMBERS | st.booleans() | st.text(LETTERS), min_size=1, max_size=4))
@settings(max_examples=100, deadline=None)
def test_other_readers_of_yaml_see_texts_as_texts(value: dict[str, Any]) -> None:
    found = yaml.safe_load(dump_yaml(value))
    assert [type(item) for item in found.values()] == [type(item) for item in value.values()]
