"""Thousands of damaged recipes: no traceback, no hang, and every fault with its place."""

from __future__ import annotations

import copy
import random
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toolkit.errors import ExitCode, VtkError
from toolkit.hooks.catalogue import Catalogue
from toolkit.recipe.load import load_recipe, load_text
from toolkit.recipe.problems import RecipeError
from toolkit.recipe.shipped import shipped_recipes

WHOLE = """\
# A recipe with one of everything.
task: sample
name: whole
seed: 3
train:
  epochs: 4
  batch_size: 16
  precision: fp32
  clip_norm: 1.5
optimizer: {name: sgd, lr: 1e-3, momentum: 0.9}
schedule:
  name: multistep
  milestones: [2, 3]
loader: {workers: auto}
data:
  name: folder
  path: images
  classes: [cat, "no"]
  weights: {cat: 0.5}
augment:
  - name: flip
    p: 0.5
  - {name: crop, size: [4, 5]}
model: {width: 8, dropout: 0.1}
stages:
  - epochs: 1
    freeze: true
    optimizer: {name: adam, lr: 0.01}
  - epochs: 2
extensions:
  counter: {every: 2}
  tensorboard: false
demo:
  seed: 1
  data: {path: drawn}
"""
SCALARS = [None, True, False, 0, -1, 1.5, 1e300, 10**30, "", "x", "1", "yes"]
JUNK = [*SCALARS, [], [1], [[]], {}, {"name": 3}, {"a": {"b": 1}}]
Attempt = Callable[..., bool]

PLACE = re.compile(r"^(recipe:\d+:\d+|--set .*): ", re.DOTALL)
CHARACTERS = "ab:[]{}&*!|>%@'\"#?-, \n\t019.\x00é"

pytestmark = pytest.mark.usefixtures("sample_site")


@pytest.fixture(scope="module")
def catalogue(sample_site: object) -> Catalogue:
    return Catalogue()


def refusal(text: str, catalogue: Catalogue, **options: Any) -> VtkError | None:
    try:
        load_text(text, catalogue=catalogue, **options)
    except VtkError as error:
        return error
    return None


@pytest.fixture(scope="module")
def attempt(catalogue: Catalogue) -> Attempt:
    """Whether a recipe loads. A refusal must be quick and short, and have a place for every problem."""

    def load(text: str, **options: Any) -> bool:
        began = time.process_time()
        error = refusal(text, catalogue, **options)
        assert time.process_time() - began < 5
        if isinstance(error, RecipeError):
            assert error.problems
            for problem in error.problems:
                assert PLACE.match(str(problem)), str(problem)
                assert len(str(problem)) < 700
        elif error is not None:
            assert error.message.startswith(("this recipe has no demo", "extends: ")) or error.code == ExitCode.USAGE
        return error is None

    return load


def test_the_recipe_itself_loads(attempt: Attempt) -> None:
    assert attempt(WHOLE)
    assert attempt(WHOLE, demo=True)


@given(data=st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_characters_changed(attempt: Attempt, data: st.DataObject) -> None:
    text = WHOLE
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 6))
        text = text[:at] + data.draw(st.text(CHARACTERS, max_size=3)) + text[at + cut :]
    attempt(text, demo=data.draw(st.booleans()))


@given(data=st.data())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lines_changed(attempt: Attempt, data: st.DataObject) -> None:
    lines = WHOLE.splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        change = data.draw(st.sampled_from(["drop", "twice", "indent", "outdent", "swap", "cut"]))
        line = lines[at]
        if change == "drop" and len(lines) > 1:
            del lines[at]
        elif change == "twice":
            lines.insert(at, line)
        elif change == "swap":
            other = data.draw(st.integers(0, len(lines) - 1))
            lines[at], lines[other] = lines[other], line
        elif change == "cut":
            lines[at] = line[: len(line) // 2]
        else:
            lines[at] = f"  {line}" if change == "indent" else line[1:]
    attempt("\n".join(lines))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*path, key)
            yield from places(inner, (*path, key))


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        value = value[part]
    return value


def damaged(original: Any) -> Iterator[Any]:
    """Every value replaced by every kind of junk, every key dropped, misspelt, and repeated elsewhere."""
    for path in places(original):
        for junk in JUNK:
            tree = copy.deepcopy(original)
            at(tree, path[:-1])[path[-1]] = copy.deepcopy(junk)
            yield tree
        tree = copy.deepcopy(original)
        value = at(tree, path[:-1]).pop(path[-1])
        yield tree
        if isinstance(path[-1], str):
            tree = copy.deepcopy(tree)
            at(tree, path[:-1])[path[-1][:-1] + "_"] = value
            yield tree
            tree = copy.deepcopy(original)
            tree[f"{path[-1]}2"] = value
            yield tree


def test_values_replaced_dropped_and_misspelt(attempt: Attempt) -> None:
    trees = list(damaged(yaml.safe_load(WHOLE)))
    assert len(trees) > 1000
    loaded = [attempt(yaml.safe_dump(tree, sort_keys=False)) for tree in random.Random(0).sample(trees, 400)]
    assert 20 < sum(loaded) < 200


@pytest.mark.slow
def test_values_of_every_shipped_recipe(attempt: Attempt, catalogue: Catalogue) -> None:
    recipes = shipped_recipes()
    assert recipes
    for recipe in recipes:
        original = yaml.safe_load(load_recipe(recipe.path, catalogue=catalogue).to_yaml())
        trees = list(damaged(original))
        for tree in random.Random(0).sample(trees, min(300, len(trees))):
            attempt(yaml.safe_dump(tree, sort_keys=False))


@pytest.mark.slow
def test_characters_changed_at_length(attempt: Attempt) -> None:
    rng = random.Random(0)
    for _ in range(5000):
        text = WHOLE
        for _ in range(rng.randint(1, 4)):
            start = rng.randrange(len(text))
            new = "".join(rng.choices(CHARACTERS, k=rng.randint(0, 3)))
            text = text[:start] + new + text[start + rng.randint(0, 8) :]
        attempt(text)


KNOWN = ["seed", "stages.0.epochs", "optimizer.name", "data", "augment.1", "extensions.counter.every", "stages.5.lr"]


@given(
    key=st.sampled_from(KNOWN) | st.text("abc.0123_-= ", max_size=12),
    value=st.text("ab:[]{}&*!'\"#, 019.", max_size=12),
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_assignment(attempt: Attempt, key: str, value: str) -> None:
    attempt(WHOLE, sets=[f"{key}={value}"])
