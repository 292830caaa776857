from __future__ import annotations

from typing import Any

import pytest

from toolkit.recipe.mark import Mark
from toolkit.recipe.yaml.merge import merge, overlay
from toolkit.recipe.yaml.nodes import MapNode, find, key_mark, mapping, to_python


def laid(base: dict[str, Any], over: dict[str, Any]) -> MapNode:
    return overlay(mapping(base, Mark("base")), mapping(over, Mark("over")))


@pytest.mark.parametrize(
    ("base", "over", "result"),
    [
        ({"a": 1, "b": 2}, {"b": 3, "c": 4}, {"a": 1, "b": 3, "c": 4}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}}, {"a": {"x": 1, "y": 3}}),
        ({"a": [1, 2, 3]}, {"a": [4]}, {"a": [4]}),
        ({"a": {"x": 1}}, {"a": None}, {"a": None}),
        ({"a": False}, {"a": {"x": 1}}, {"a": {"x": 1}}),
        ({"o": {"name": "adam", "beta1": 0.8}}, {"o": {"name": "sgd"}}, {"o": {"name": "sgd"}}),
        (
            {"o": {"name": "adam", "lr": 1}},
            {"o": {"name": "adam", "eps": 2}},
            {"o": {"name": "adam", "lr": 1, "eps": 2}},
        ),
        ({"o": {"name": "adam", "lr": 1}}, {"o": {"lr": 2}}, {"o": {"name": "adam", "lr": 2}}),
        ({"o": {"lr": 1}}, {"o": {"name": "sgd"}}, {"o": {"name": "sgd"}}),
        ({"a": {"b": {"name": "x", "k": 1}}}, {"a": {"b": {"name": "y"}}}, {"a": {"b": {"name": "y"}}}),
        ({"name": "one", "seed": 1}, {"name": "two"}, {"name": "two", "seed": 1}),
        ({"demo": {"name": "one", "seed": 1}}, {"demo": {"name": "two"}}, {"demo": {"name": "two", "seed": 1}}),
        ({"demo": {"o": {"name": "x", "k": 1}}}, {"demo": {"o": {"name": "y"}}}, {"demo": {"o": {"name": "y"}}}),
    ],
)
def test_rule(base: dict[str, Any], over: dict[str, Any], result: dict[str, Any]) -> None:
    assert to_python(laid(base, over)) == result


@pytest.mark.parametrize(
    ("demo", "left"),
    [
        ({"model": {"size": 2}}, {}),
        ({"model": {"name": "small"}}, {"model": {"name": "small"}}),
        ({"data": {"source": {"limit": 3}, "rows": 1}}, {"data": {"rows": 1}}),
        ({"train": {"epochs": 1}, "seed": 3}, {"train": {"epochs": 1}, "seed": 3}),
    ],
)
def test_a_replaced_section_takes_what_the_demo_changed_in_it(demo: dict[str, Any], left: dict[str, Any]) -> None:
    base = {"model": {"name": "big"}, "data": {"source": {"name": "a"}}, "train": {"epochs": 9}, "demo": demo}
    over = {"model": {"name": "other"}, "data": {"source": {"name": "b"}}, "train": {"epochs": 8}}
    found = to_python(laid(base, over))["demo"]
    assert {key: value for key, value in found.items() if value} == {key: value for key, value in left.items() if value}


def test_order_is_that_of_the_base_then_what_is_new() -> None:
    assert list(laid({"b": 1, "a": 2}, {"c": 3, "a": 4}).entries) == ["b", "a", "c"]


def test_marks_follow_the_values() -> None:
    root = laid({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}})
    x, y = find(root, ("a", "x")), find(root, ("a", "y"))
    assert x is not None
    assert y is not None
    assert (str(x.mark), str(y.mark)) == ("base", "over")
    assert str(key_mark(root, ("a", "y"))) == "over"


def test_neither_side_is_changed() -> None:
    base, over = mapping({"a": {"x": 1}}, Mark("b")), mapping({"a": {"y": 2}}, Mark("o"))
    merge(base, over)
    assert (to_python(base), to_python(over)) == ({"a": {"x": 1}}, {"a": {"y": 2}})
