"""What goes to stdout."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.cli.output import print_json, print_table
from toolkit.system.jsonable import finite

TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(TREES)
def test_any_result_becomes_strict_json(tree: object) -> None:
    text = json.dumps(finite(tree), allow_nan=False)
    assert json.loads(text) == finite(tree)


def test_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"loss": math.nan, "name": "Käfer", "pair": (1, 2)})
    out, err = capsys.readouterr()
    assert json.loads(out) == {"loss": None, "name": "Käfer", "pair": [1, 2]}
    assert "Käfer" in out
    assert err == ""


def test_a_table_is_aligned_plain_text_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("name", "n"), [["a", 1.23456789], ["longer", None]])
    assert capsys.readouterr().out == "name    n\na       1.235\nlonger\n"
