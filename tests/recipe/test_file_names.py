"""A recipe's file may have any name that the system allows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from toolkit.recipe.load import load_recipe
from toolkit.recipe.problems import RecipeError

TEXT = "task: classification\ndata: {source: {name: folder, root: ph}}\nmodel: {name: cnn, channels: [4]}\n"


@pytest.mark.skipif(os.name != "posix", reason="names of any bytes")
def test_bytes_that_are_no_utf8_become_their_numbers(tmp_path: Path) -> None:
    file = tmp_path / os.fsdecode(b"caf\xe9.yaml")
    file.write_text(TEXT)
    assert load_recipe(file).recipe.name == "caf-e9"


def test_a_long_name_is_cut_to_what_a_run_may_be_called(tmp_path: Path) -> None:
    file = tmp_path / f"{'n' * 140}.yaml"
    file.write_text(TEXT)
    assert load_recipe(file).recipe.name == "n" * 100


def test_a_value_that_is_no_utf8_is_refused_for_what_it_is(tmp_path: Path) -> None:
    file = tmp_path / "plain.yaml"
    file.write_text(TEXT)
    with pytest.raises(RecipeError, match="byte 0xE9 in this name is no UTF-8"):
        load_recipe(file, sets=["data.source.root=ph\udce9"])
