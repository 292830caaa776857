"""A command reads each file of a recipe once, and checks each of its plugins once."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from opened import opened

from toolkit.errors import ExitCode
from toolkit.hooks.lint import lint


@contextmanager
def linted() -> Iterator[Counter[str]]:
    """How often each plugin is linted within."""
    counts: Counter[str] = Counter()

    def called(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code is lint.__code__:
            counts[frame.f_locals["entry"].full_name] += 1

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        yield counts
    finally:
        sys.setprofile(before)


@pytest.mark.parametrize(
    "words",
    [
        ("check", "mine.yaml", "--count", "24"),
        ("check", "mine.yaml", "--demo", "--no-report"),
        ("run", "mine.yaml", "--out", "run"),
        ("run", "mine.yaml", "--help"),
        ("tune", "mine.yaml", "--out", "lr.png"),
    ],
    ids=lambda words: " ".join(words),
)
def test_a_recipe_and_what_it_extends_are_read_once(vtk: Callable, here: Path, words: tuple[str, ...]) -> None:
    (here / "mine.yaml").write_text("extends: toy.yaml\nseed: 3\n")
    with opened(here) as counts:
        vtk(*words)
    assert (counts["mine.yaml"], counts["toy.yaml"]) == (1, 1)


def test_a_runs_own_recipe_is_read_once(vtk: Callable, trained: Path) -> None:
    for words in (("eval", trained, "--json"), ("eval", trained, "--count", "40"), ("check", trained)):
        with opened(trained) as counts:
            said = vtk(*words)
        assert said.code == ExitCode.OK, said.err
        assert counts["recipe.yaml"] == 1, words


@pytest.mark.parametrize("verb", ["check", "eval"])
def test_each_plugin_is_checked_once(vtk: Callable, trained: Path, verb: str) -> None:
    with linted() as counts:
        said = vtk(verb, trained)
    assert said.code == ExitCode.OK, said.err
    assert counts["vtk-toy:toy"] == counts["vision-toolkit:checkpoints"] == 1
    assert set(counts.values()) == {1}
