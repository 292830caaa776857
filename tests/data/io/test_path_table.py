"""Names in arrays behave as a list of strings does, and take less room."""

from __future__ import annotations

import pickle
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.data.io.path_table import Locations, Names
from toolkit.data.sources.index import natural_key

STRINGS = st.lists(st.text(st.characters(exclude_characters="\0"), max_size=12), max_size=30)


@given(values=STRINGS, chosen=st.data())
def test_names_are_a_list_of_strings(values: list[str], chosen: st.DataObject) -> None:
    names = Names(values)
    assert list(names) == values
    assert names == values
    assert (len(names), [names[i] for i in range(-len(values), len(values))]) == (len(values), values * 2)
    part = chosen.draw(st.slices(len(values)))
    assert names[part] == values[part]
    places = chosen.draw(st.lists(st.integers(-len(values), len(values) - 1))) if values else []
    assert names.take(places) == [values[i] for i in places]
    assert Names.joined([names, Names(values[:3]), Names()]) == values + values[:3]
    assert pickle.loads(pickle.dumps(names)) == names
    assert (names == [*values, "more"], names == values[:-1]) == (False, not values)


def test_many_names_are_taken_across_portions() -> None:
    values = [f"class {i % 7}/{'é' * (i % 5)}{i}.jpg" for i in range(20_000)]
    places = np.random.default_rng(0).permutation(20_000)
    assert Names(values).take(places) == [values[i] for i in places]
    assert Names(values)[5000:] == values[5000:]


def test_there_is_no_name_beyond_the_last() -> None:
    names = Names(["a"])
    for place in (1, -2):
        with pytest.raises(IndexError):
            names[place]
        with pytest.raises(IndexError):
            names.take([place])


def test_names_that_are_no_utf_8_come_back() -> None:
    name = b"\xff\xfe.jpg".decode("utf-8", "surrogateescape")
    assert list(Names([name, "\ud800", "b"])) == [name, "\ud800", "b"]


def test_a_name_takes_its_characters_and_eight_bytes() -> None:
    values = [f"class_{i % 100:03}/{i:07}.jpg" for i in range(10_000)]
    names = Names(values)
    room = names._text.nbytes + names._ends.nbytes
    assert room <= sum(map(len, values)) + 8 * (len(values) + 1)
    assert room < sum(map(sys.getsizeof, values)) / 2


@pytest.mark.parametrize("root", [".", "/", "/data", "data", "a b/../c"])
@pytest.mark.parametrize(
    "name", ["cat/1.jpg", "/abs/1.jpg", "./1.jpg", "a/./1.jpg", "a//1.jpg", "../1.jpg", "a../b.jpg", "a/.", "x.", "..a"]
)
def test_a_location_is_the_folder_and_the_name(root: str, name: str) -> None:
    locations = Locations(Path(root), Names([name]))
    assert locations[0] == str(Path(root) / name)
    assert list(locations) == [locations[0]]
    assert pickle.loads(pickle.dumps(locations)) == locations


@given(st.lists(st.text(st.sampled_from("ab0129٣.-_"), max_size=9), max_size=12))
def test_natural_order_is_that_of_texts_and_numbers_in_turn(values: list[str]) -> None:
    def in_turn(text: str) -> tuple[object, ...]:
        parts = re.split(r"(\d+)", text)
        return tuple((int(part), part) if i % 2 else (part, part) for i, part in enumerate(parts))

    assert sorted(values, key=natural_key) == sorted(values, key=in_turn)
