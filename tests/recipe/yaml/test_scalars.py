from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.recipe.yaml.scalars import check_text, is_number, resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("False", False),
        ("0", 0),
        ("-12", -12),
        ("+3", 3),
        ("007", 7),
        ("0o17", 15),
        ("0x1F", 31),
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("-1.5e+2", -150.0),
    ],
)
def test_core_schema_values(text: str, value: object) -> None:
    found = resolve(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "no",
        "No",
        "on",
        "off",
        "yes",
        "y",
        "n",
        "1_000",
        "12:30",
        "2024-01-01",
        "1,5",
        "0b1",
        "e3",
        ".",
        "-",
        "tRUE",
        "١",
    ],
)
def test_stays_text(text: str) -> None:
    assert resolve(text) == text


@pytest.mark.parametrize("text", [".inf", "-.inf", "+.Inf", ".nan", ".NaN", "1e999", "-1e400", "1" * 101])
def test_numbers_that_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not allowed|too large|too long"):
        resolve(text)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_survives_its_repr(number: float) -> None:
    found = resolve(repr(number))
    assert isinstance(found, float)
    assert found == number
    assert math.copysign(1, found) == math.copysign(1, number)


@given(st.integers(-(10**90), 10**90))
def test_every_integer_survives_its_repr(number: int) -> None:
    assert resolve(str(number)) == number
    assert is_number(str(number))


@pytest.mark.parametrize("text", ["\x00", "a\x1b[31m", "\x7f", "\ud800", "a\x08"])
def test_characters_that_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"U\+[0-9A-F]{4}"):
        check_text(text)


def test_usual_characters_pass() -> None:
    check_text("Grüße,\n\t日本語 🐈")
