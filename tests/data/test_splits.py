"""Splits: stratified, seeded, and kept in a manifest that later commands obey."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from toolkit.data.sources import Found, ImageArrays, ImageFiles
from toolkit.data.splits import (
    SplitSection,
    apply_manifest,
    manifest_of,
    read_manifest,
    split_found,
    stratified,
    write_manifest,
)
from toolkit.errors import ExitCode, VtkError


def files(sizes: dict[str, int]) -> ImageFiles:
    paths = tuple(f"{name}/{i}.jpg" for name, size in sizes.items() for i in range(size))
    targets = np.repeat(np.arange(len(sizes)), list(sizes.values()))
    return ImageFiles(Path("/data"), paths, targets, tuple(sizes))


@given(
    sizes=st.lists(st.integers(2, 60), min_size=2, max_size=6),
    val=st.floats(0.05, 0.5),
    test=st.floats(0.05, 0.4),
    seed=st.integers(0, 2**32 - 1),
)
def test_parts_are_disjoint_complete_and_stratified(sizes: list[int], val: float, test: float, seed: int) -> None:
    targets = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    parts = stratified(targets, {"val": val, "test": test}, seed)
    assert np.array_equal(np.sort(np.concatenate(list(parts.values()))), np.arange(len(targets)))
    for label, size in enumerate(sizes):
        counts = {name: int((targets[chosen] == label).sum()) for name, chosen in parts.items()}
        assert counts["train"] >= 1
        assert counts["val"] >= 1
        assert counts["test"] >= (1 if size > 2 else 0)
        if size >= 20:
            assert counts["val"] == pytest.approx(val * size, abs=0.5001)
            assert counts["test"] == pytest.approx(test * size, abs=0.5001)


def test_the_seed_decides() -> None:
    found = Found(files({"cat": 50, "dog": 50}))
    one = split_found(found, SplitSection(), seed=1)
    assert one.val is not None
    assert (len(one.train), len(one.val), one.test) == (80, 20, None)
    assert split_found(found, SplitSection(), seed=1).train.keys == one.train.keys
    assert split_found(found, SplitSection(), seed=2).train.keys != one.train.keys
    assert split_found(found, SplitSection(seed=1), seed=2).train.keys == one.train.keys


def test_what_the_source_brings_is_kept() -> None:
    val = files({"cat": 2, "dog": 2})
    found = Found(files({"cat": 50, "dog": 50}), val=val)
    cut = split_found(found, SplitSection(val=0.2, test=0.1), seed=0)
    assert cut.val is val
    assert cut.test is not None
    assert (len(cut.train), len(cut.test)) == (90, 10)
    assert split_found(found, SplitSection(val=0.2), seed=0) is found


def test_a_class_with_one_picture_is_named() -> None:
    with pytest.raises(VtkError, match=r"one picture .*: 'bird', 'cow'") as caught:
        split_found(Found(files({"cat": 5, "bird": 1, "cow": 1})), SplitSection(), seed=0)
    assert caught.value.place == "/data"
    assert len(split_found(Found(files({"cat": 5, "bird": 1})), SplitSection(val=0), seed=0).train) == 6


def test_shares_must_leave_something() -> None:
    with pytest.raises(ValidationError, match="nothing to train on"):
        SplitSection(val=0.6, test=0.5)


def arrays() -> Found:
    images = np.arange(40, dtype=np.uint8)[:, None, None].repeat(4, 1).repeat(4, 2)
    whole = ImageArrays(images, np.arange(40) % 2, ("a", "b"))
    return Found(whole, test=ImageArrays(255 - images[:6], np.arange(6) % 2, ("a", "b"), "test"))


@pytest.mark.parametrize("found", [Found(files({"cat": 9, "dog": 11})), arrays()], ids=["files", "arrays"])
def test_a_manifest_brings_the_split_back(found: Found, tmp_path: Path) -> None:
    cut = split_found(found, SplitSection(val=0.3), seed=3)
    write_manifest(tmp_path / "split.json", manifest_of(cut, 3))
    again = apply_manifest(found, read_manifest(tmp_path / "split.json"))
    for one, other in ((cut.train, again.train), (cut.val, again.val), (cut.test, again.test)):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert one.keys == other.keys
            assert np.array_equal(one.targets, other.targets)
        if isinstance(one, ImageArrays) and isinstance(other, ImageArrays):
            assert np.array_equal(one.images, other.images)
    assert [p.name for p in tmp_path.iterdir()] == ["split.json"]


def test_pictures_added_later_stay_out_and_lost_ones_are_named(tmp_path: Path) -> None:
    before = split_found(Found(files({"cat": 9, "dog": 9})), SplitSection(), seed=0)
    manifest = json.loads(json.dumps(manifest_of(before, 0)))
    more = apply_manifest(Found(files({"cat": 12, "dog": 12})), manifest)
    assert more.train.keys == before.train.keys
    with pytest.raises(VtkError, match="not there any more: 'dog/") as caught:
        apply_manifest(Found(files({"cat": 9, "dog": 1})), manifest)
    assert caught.value.code == ExitCode.NO_INPUT
    with pytest.raises(VtkError, match="trained on 'cat', 'dog'"):
        apply_manifest(Found(files({"cat": 9, "dog": 9, "emu": 1})), manifest)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"version": 99, "samples": {}}', '{"version": 1}'])
def test_other_files_are_no_manifest(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(VtkError, match="not a split manifest"):
        read_manifest(tmp_path / "a.json")
    with pytest.raises(VtkError, match="no such manifest"):
        read_manifest(tmp_path / "b.json")


def test_a_manifest_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    values: dict[str, Any] = manifest_of(Found(files({"cat": 2, "dog": 2})), 0)
    with pytest.raises(VtkError, match="cannot be written"):
        write_manifest(tmp_path / "no" / "split.json", values)
    assert list(tmp_path.iterdir()) == []
