"""A directory takes another's place at once, or in two steps that can be told apart."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from toolkit.system import exchange
from toolkit.system.exchange import aside_of, repair, replace_directory, standing, swap


@pytest.fixture(params=["one step", "two steps"])
def steps(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    if request.param == "two steps":
        monkeypatch.setattr(exchange, "swap", lambda *_: False)
    elif not can_swap(tmp_path):
        pytest.skip("this system swaps no directories")
    return str(request.param)


def can_swap(folder: Path) -> bool:
    for name in ("x", "y"):
        (folder / name).mkdir()
    try:
        return swap(folder / "x", folder / "y")
    finally:
        for name in ("x", "y"):
            (folder / name).rmdir()


def filled(path: Path, text: str) -> Path:
    path.mkdir()
    (path / "content").write_text(text)
    return path


def test_the_new_one_stands_where_the_old_one_was(tmp_path: Path, steps: str) -> None:
    target = filled(tmp_path / "bundle", "old")
    replace_directory(filled(tmp_path / "made", "new"), target)
    assert (target / "content").read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_where_nothing_was_it_is_put(tmp_path: Path, steps: str) -> None:
    replace_directory(filled(tmp_path / "made", "new"), tmp_path / "bundle")
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_there_is_no_moment_without_one_where_the_system_can_swap(tmp_path: Path) -> None:
    if not can_swap(tmp_path):
        pytest.skip("this system swaps no directories")
    target, done, looks = filled(tmp_path / "bundle", "0"), threading.Event(), []

    def look() -> None:
        while not done.is_set():
            looks.append(target.is_dir())

    reader = threading.Thread(target=look)
    reader.start()
    for number in range(100):
        replace_directory(filled(tmp_path / "made", str(number)), target)
    done.set()
    reader.join()
    assert looks
    assert all(looks)


@pytest.mark.parametrize("undo", ["works", "fails too"])
def test_a_second_step_that_fails_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undo: str) -> None:
    target = filled(tmp_path / "bundle", "old")
    made = filled(tmp_path / "made", "new")
    monkeypatch.setattr(exchange, "swap", lambda *_: False)
    rename = os.rename

    def refuse(source: str, goal: str, **_: object) -> None:
        if Path(goal) == target and (undo == "fails too" or Path(source) == made):
            raise OSError(28, "No space left on device")
        rename(source, goal)

    monkeypatch.setattr(os, "rename", refuse)
    with pytest.raises(OSError, match="No space"):
        replace_directory(made, target)
    assert (standing(target) / "content").read_text() == "old"
    monkeypatch.undo()
    repair(target)
    assert (target / "content").read_text() == "old"
    assert not aside_of(target).exists()


def test_a_replacement_after_one_that_was_cut_off_ends_with_the_new_alone(tmp_path: Path, steps: str) -> None:
    target = tmp_path / "bundle"
    filled(aside_of(target), "old")
    replace_directory(filled(tmp_path / "made", "new"), target)
    assert (target / "content").read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_the_swap_is_told_where_it_fails(tmp_path: Path) -> None:
    if not can_swap(tmp_path):
        pytest.skip("this system swaps no directories")
    with pytest.raises(FileNotFoundError):
        swap(tmp_path / "no", tmp_path / "none")
