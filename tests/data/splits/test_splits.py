"""Splits: stratified, seeded, and kept in a manifest that later commands obey."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from toolkit.data.sources import CsvFile, Found, ImageArrays, ImageFiles
from toolkit.data.sources.folder import Folder
from toolkit.data.splits.groups import GroupBy, union
from toolkit.data.splits.manifest import apply_manifest, manifest_of, read_manifest, write_manifest
from toolkit.data.splits.splits import SplitSection, split_found, stratified
from toolkit.data.splits.subsample import limited
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


def swapped(found: Found) -> Found:
    """The same samples under the same keys, two of them in the other part of the source each."""

    def mixed(own: Any, other: Any, kept: list[int]) -> Any:
        moved = other.take([1])
        if isinstance(own, ImageFiles):
            both = [*own.take(kept).paths, *moved.paths]
            return ImageFiles(own.root, tuple(both), targets_of(own.take(kept), moved), own.classes)
        parts, names = own.take(kept), (*own.take(kept).keys, *moved.keys)
        images = np.concatenate([parts.images, moved.images])
        return ImageArrays(images, targets_of(parts, moved), own.classes, own.part, names)

    def targets_of(*parts: Any) -> Any:
        return np.concatenate([part.targets for part in parts])

    left_train, left_test = ([i for i in range(len(part)) if i != 1] for part in (found.train, found.test) if part)
    return Found(mixed(found.train, found.test, left_train), test=mixed(found.test, found.train, left_test))


def in_folders() -> Found:
    test = ImageFiles(Path("/data"), tuple(f"test/{i}.jpg" for i in range(6)), np.arange(6) % 2, ("cat", "dog"))
    return Found(files({"cat": 9, "dog": 11}), test=test)


@pytest.mark.parametrize("found", [in_folders(), arrays()], ids=["files", "arrays"])
def test_samples_that_changed_part_are_put_where_the_manifest_says(found: Found) -> None:
    cut = split_found(found, SplitSection(val=0.3), seed=3)
    again = apply_manifest(swapped(found), json.loads(json.dumps(manifest_of(cut, 3))))
    for one, other in ((cut.train, again.train), (cut.val, again.val), (cut.test, again.test)):
        assert one is not None
        assert other is not None
        assert one.keys == other.keys
        assert np.array_equal(one.targets, other.targets)
        if isinstance(one, ImageArrays) and isinstance(other, ImageArrays):
            assert np.array_equal(one.images, other.images)
        elif isinstance(one, ImageFiles) and isinstance(other, ImageFiles):
            assert one.files == other.files


@pytest.mark.parametrize("several", [False, True])
def test_a_file_that_is_gone_keeps_its_place_and_its_label(several: bool) -> None:
    found = in_folders()
    if several:
        rows = np.eye(2, dtype=np.int64)[found.train.targets]
        found = Found(replace(found.train, targets=rows))
    cut = split_found(found, SplitSection(val=0.3), seed=3)
    manifest = json.loads(json.dumps(manifest_of(cut, 3)))
    gone = found.train.keys.index(cut.train.keys[-1])
    rest = replace(found, train=found.train.take([i for i in range(len(found.train)) if i != gone]))
    again = apply_manifest(rest, manifest, may_miss=0.01)
    assert again.train.keys == cut.train.keys
    assert np.array_equal(again.train.targets, cut.train.targets)
    with pytest.raises(VtkError, match=r"1 of .* samples of the train split are not there any more"):
        apply_manifest(rest, manifest)


def test_samples_under_two_folders_may_change_part() -> None:
    """Keys stay what they were, so that a cut that is made by a manifest can be kept in another."""
    labels, classes = np.arange(4) % 2, ("cat", "dog")
    train = ImageFiles(Path("/a"), tuple(f"{i}.jpg" for i in range(4)), labels, classes)
    val = ImageFiles(Path("/b"), tuple(f"v{i}.jpg" for i in range(4)), labels, classes)
    manifest = manifest_of(Found(train, val), 0)
    manifest["samples"] = {"train": ["v1.jpg", *train.keys[1:]], "val": [train.keys[0], "v0.jpg", "v2.jpg", "v3.jpg"]}
    again = apply_manifest(Found(train, val), manifest)
    assert isinstance(again.train, ImageFiles)
    assert again.train.files == [Path("/b/v1.jpg"), Path("/a/1.jpg"), Path("/a/2.jpg"), Path("/a/3.jpg")]
    assert manifest_of(again, 0)["samples"] == manifest["samples"]


def test_a_table_whose_rows_changed_part_keeps_its_cut(tmp_path: Path) -> None:
    table, source = tmp_path / "a.csv", CsvFile(name="csv", file=str(tmp_path / "a.csv"), split_column="s")
    rows = [f"{i}.jpg,{'cat' if i % 2 else 'dog'},{'val' if i > 7 else 'train'}" for i in range(12)]
    for i in range(12):
        (tmp_path / f"{i}.jpg").touch()
    table.write_text("\n".join(["path,label,s", *rows]))
    before = manifest_of(source.load(), 0)
    rows[2], rows[10] = rows[2].replace("train", "val"), rows[10].replace("val", "train")
    table.write_text("\n".join(["path,label,s", *rows]))
    assert manifest_of(source.load(), 0) != before
    assert manifest_of(apply_manifest(source.load(), before), 0) == before


def test_pictures_added_later_stay_out_and_lost_ones_are_named(tmp_path: Path) -> None:
    before = split_found(Found(files({"cat": 9, "dog": 9})), SplitSection(), seed=0)
    manifest = json.loads(json.dumps(manifest_of(before, 0)))
    more = apply_manifest(Found(files({"cat": 12, "dog": 12})), manifest)
    assert more.train.keys == before.train.keys
    with pytest.raises(VtkError, match="not there any more: 'dog/") as caught:
        apply_manifest(Found(files({"cat": 9, "dog": 1})), manifest)
    assert caught.value.code == ExitCode.NO_INPUT
    with pytest.raises(VtkError, match="made for 'cat', 'dog'"):
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


def test_a_manifest_that_nobody_could_read_is_not_written(tmp_path: Path) -> None:
    both = files({"cat": 2, "dog": 2})
    with pytest.raises(VtkError, match=r"cat/0\.jpg is in train and in val"):
        write_manifest(tmp_path / "split.json", manifest_of(Found(both, both), 0))
    assert list(tmp_path.iterdir()) == []


PATIENTS = {"cat": 12, "dog": 12, "emu": 12}


def visits(root: Path) -> ImageFiles:
    """Twelve patients of each class, with one to four pictures each."""
    sizes = [1 + patient % 4 for patient in range(12)]
    paths = [f"{c}/p{c[0]}{p}/{i}.jpg" for c in PATIENTS for p, size in enumerate(sizes) for i in range(size)]
    return ImageFiles(root, tuple(paths), np.repeat(np.arange(3), sum(sizes)), tuple(PATIENTS))


def patients(index: Any) -> set[str]:
    return {path.split("/")[1] for path in index.paths}


@pytest.mark.parametrize(
    "group", ["folder", GroupBy(pattern=r"/(?P<group>p\w+)/"), GroupBy(column="patient")], ids=["folder", "re", "csv"]
)
def test_a_patient_is_in_one_part(group: Any) -> None:
    found = Found(visits(Path("/data")))
    section = SplitSection(val=0.25, test=0.25, group=group)
    cut = split_found(found, section, seed=1, source=Table(found.train))
    parts = [cut.train, cut.val, cut.test]
    assert sum(len(part) for part in parts if part) == len(found.train)
    assert sum(len(patients(part)) for part in parts) == 36
    for part, share in zip(parts, (0.5, 0.25, 0.25), strict=True):
        counts = np.bincount(part.targets, minlength=3)
        assert np.abs(counts - share * 30).max() <= 4 * 4 / 3


class Table:
    """A source that knows each sample's patient."""

    def __init__(self, index: ImageFiles) -> None:
        self.index = index

    def column(self, name: str) -> dict[str, str]:
        assert name == "patient"
        return {path: path.split("/")[1] for path in self.index.paths}


@pytest.mark.parametrize("group", [None, "folder"])
@pytest.mark.parametrize("test", [0.0, 0.2])
def test_folds_validate_each_sample_once(group: Any, test: float) -> None:
    found = Found(visits(Path("/data")))
    cuts = [split_found(found, SplitSection(folds=5, fold=fold, test=test, group=group), seed=2) for fold in range(5)]
    validated = [path for cut in cuts for path in cut.val.paths]
    tests = {None if cut.test is None else tuple(cut.test.paths) for cut in cuts}
    assert len(tests) == 1
    tested = next(iter(tests)) or ()
    assert sorted([*validated, *tested]) == sorted(found.train.paths)
    for cut in cuts:
        assert sorted([*cut.train.paths, *cut.val.paths, *tested]) == sorted(found.train.paths)
        assert set(cut.train.targets) == {0, 1, 2}
        if group:
            assert not patients(cut.train) & patients(cut.val)


def test_folds_of_label_sets_validate_each_sample_once() -> None:
    rng = np.random.default_rng(0)
    targets = (rng.random((100, 4)) < 0.3).astype(np.int64)
    found = Found(ImageFiles(Path("/data"), tuple(f"{i}.jpg" for i in range(100)), targets, tuple("abcd")))
    cuts = [split_found(found, SplitSection(folds=4, fold=fold), seed=0) for fold in range(4)]
    assert sorted(path for cut in cuts for path in cut.val.paths) == sorted(found.train.paths)
    for cut in cuts:
        np.testing.assert_allclose(cut.val.targets.sum(axis=0), targets.sum(axis=0) / 4, atol=2)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"folds": 5, "fold": 5}, "there is no fold 5"),
        ({"fold": 1}, "fold goes with folds"),
        ({"folds": 4, "val": 0.1}, "set val to 0.25 or leave it out"),
        ({"manifest": "a.json", "folds": 3}, "a manifest says all"),
        ({"group": {"pattern": "p\\d+"}}, "no group named group"),
        ({"group": {"pattern": "("}}, "not a regular expression"),
        ({"group": {}}, "either column or pattern"),
    ],
)
def test_sections_that_contradict_themselves(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SplitSection.model_validate(values)


def test_a_section_with_folds_survives_being_saved() -> None:
    section = SplitSection(folds=3, fold=2)
    assert section.val == pytest.approx(1 / 3)
    assert SplitSection.model_validate(json.loads(section.model_dump_json())) == section


def test_groups_that_cannot_be_cut() -> None:
    found = Found(files({"cat": 5, "dog": 5}))
    by_number = SplitSection(group=GroupBy(pattern="(?P<group>p[0-9]+)"))
    by_column = SplitSection(group=GroupBy(column="patient"))
    with_val = Found(found.train, val=files({"cat": 2, "dog": 2}))
    with pytest.raises(VtkError, match=r"belong together .*: 'cat', 'dog'"):
        split_found(found, SplitSection(group="folder"), seed=0)
    with pytest.raises(VtkError, match=r"10 of 10 paths do not match .*: 'cat/0\.jpg'"):
        split_found(found, by_number, seed=0)
    with pytest.raises(VtkError, match="neither paths nor columns"):
        split_found(arrays(), SplitSection(group="folder"), seed=0)
    with pytest.raises(VtkError, match="has no table"):
        split_found(found, by_column, seed=0, source=Folder(name="folder", root="."))
    with pytest.raises(VtkError, match="validation part of its own"):
        split_found(with_val, SplitSection(folds=2), seed=0)


def test_a_group_in_two_parts_of_the_source_is_refused() -> None:
    train = ImageFiles(Path("/d"), ("train/cat/p1/1.jpg", "train/dog/p2/1.jpg"), np.arange(2), ("cat", "dog"))
    val = ImageFiles(Path("/d"), ("val/cat/p1/2.jpg", "val/dog/p3/1.jpg"), np.arange(2), ("cat", "dog"))
    with pytest.raises(VtkError, match=r"1 groups are in two parts .*p1 \(in train and val\)"):
        split_found(Found(train, val), SplitSection(group="folder"), seed=0)


def copied(folder: Path, originals: int) -> ImageFiles:
    """Pictures of two classes, each with a copy under another name, in the other class every fourth time."""
    rng = np.random.default_rng(0)
    paths, targets = [], []
    for number in range(originals):
        picture = cv2.resize(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8), (48, 48))
        for copy in range(2):
            label = (number + (copy and number % 4 == 0)) % 2
            path = folder / f"{number}-{copy}-{label}.png"
            cv2.imwrite(str(path), picture)
            paths.append(path.name)
            targets.append(label)
    return ImageFiles(folder, tuple(paths), np.array(targets), ("a", "b"))


def originals(index: Any) -> set[str]:
    return {path.split("-")[0] for path in index.paths}


def test_copies_stay_together(tmp_path: Path) -> None:
    index = copied(tmp_path, 30)
    for seed in range(3):
        cut = split_found(Found(index), SplitSection(val=0.3, test=0.2), seed=seed)
        parts = [originals(part) for part in (cut.train, cut.val, cut.test)]
        assert sum(map(len, parts)) == 30
        assert sum(len(part) for part in (cut.train, cut.val, cut.test) if part) == 60


def test_what_looks_the_same_stays_together_where_it_is_asked_for(tmp_path: Path) -> None:
    index = copied(tmp_path, 30)
    for path in index.files[1::2]:
        cv2.imwrite(str(path), np.clip(cv2.imread(str(path)).astype(np.int16) + 2, 0, 255).astype(np.uint8))

    def torn(section: SplitSection) -> int:
        cut = split_found(Found(index), section, seed=0)
        return len(originals(cut.train) & originals(cut.val))

    assert torn(SplitSection(val=0.3)) > 0
    assert torn(SplitSection(val=0.3, duplicates="near")) == 0
    assert torn(SplitSection(folds=3, duplicates="near")) == 0


def test_near_means_the_same_for_images_in_memory() -> None:
    coarse = np.random.default_rng(0).integers(0, 236, (30, 6, 6, 3), dtype=np.uint8)
    images = np.repeat(np.stack([cv2.resize(one, (48, 48)) for one in coarse]), 2, axis=0)
    images[1::2] += 2
    index = ImageArrays(images, np.repeat(np.arange(30) % 2, 2), ("a", "b"))

    def torn(section: SplitSection) -> int:
        cut = split_found(Found(index), section, seed=0)
        assert cut.val is not None
        train, val = ({int(key.split("/")[1]) // 2 for key in part.keys} for part in (cut.train, cut.val))
        return len(train & val)

    assert torn(SplitSection(val=0.3)) > 0
    assert torn(SplitSection(val=0.3, duplicates="near")) == 0


def test_equal_images_in_memory_stay_together() -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 4, 4), dtype=np.uint8)
    twice = ImageArrays(images.repeat(2, axis=0), np.arange(40).repeat(2) % 2, ("a", "b"))
    cut = split_found(Found(twice), SplitSection(val=0.3), seed=0)
    assert not {i.tobytes() for i in cut.train.images} & {i.tobytes() for i in cut.val.images}
    assert len(cut.val) == pytest.approx(24, abs=2)


def test_copies_across_the_sources_own_parts_are_told(tmp_path: Path) -> None:
    index = copied(tmp_path, 6)
    said: list[str] = []
    found = Found(index.take(range(0, 12, 2)), val=index.take([1, 5]))
    split_found(found, SplitSection(val=0.3), seed=0, say=said.append)
    assert len(said) == 1
    assert "2 images are copies of images in another part" in said[0]
    assert "0-1-1.png (val)" in said[0]
    split_found(Found(found.train, val=index.take([])), SplitSection(val=0), seed=0, say=said.append)
    assert len(said) == 1


def test_belonging_together_is_passed_on() -> None:
    """A copy of one patient's picture among another's makes one group of the two patients."""
    assert union([[0, 0, 1, 1, 2], [5, 6, 6, 7, 8]]).tolist() == [0, 0, 0, 0, 4]
    assert union([["a", "b", "a", "c", "d"], ["x", "x", "y", "z", "z"]]).tolist() == [0, 0, 0, 3, 3]


def test_a_cut_is_made_as_an_earlier_run_made_it(tmp_path: Path) -> None:
    found = Found(files({"cat": 20, "dog": 20}))
    before = split_found(found, SplitSection(val=0.3, test=0.1), seed=5)
    write_manifest(tmp_path / "split.json", manifest_of(before, 5))
    said: list[str] = []
    more = Found(files({"cat": 23, "dog": 20}))
    for place in (tmp_path, tmp_path / "split.json"):
        again = split_found(more, SplitSection(manifest=str(place)), seed=99, say=said.append)
        assert (again.train.keys, again.val.keys, again.test.keys) == (
            before.train.keys,
            before.val.keys,
            before.test.keys,
        )
    assert "does not name 3 of 43 images" in said[0]


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ({"train": ["a"], "val": ["a"]}, "a is in train and in val"),
        ({"train": ["a", "a"]}, "a is in train and in train"),
        ({"train": []}, "no training samples"),
        ({"train": [1]}, "not a split manifest"),
        ({"train": ["a"], "more": ["b"]}, "not a split manifest"),
    ],
)
def test_a_manifest_that_leaks_or_is_none_is_refused(samples: Any, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"version": 1, "classes": ["a", "b"], "samples": samples}))
    with pytest.raises(VtkError, match=message):
        read_manifest(tmp_path / "a.json")


def test_a_limit_keeps_proportions() -> None:
    cut = limited(Found(files({"cat": 60, "dog": 20}), val=files({"cat": 3, "dog": 3})), 20, 0)
    assert np.bincount(cut.train.targets).tolist() == [15, 5]
    assert len(cut.val) == 6


@pytest.mark.parametrize(
    ("sizes", "limit", "wanted"),
    [
        ([20] * 100, 100, [1] * 100),
        ([99, 1], 50, [49, 1]),
        ([50, 30, 20], 7, [4, 2, 1]),  # quotas 3.5, 2.1, 1.4: the largest remainder is the first's
        ([1000, 3, 2, 1], 10, [7, 1, 1, 1]),
        ([5, 5, 5], 4, [2, 1, 1]),
    ],
)
def test_a_limit_is_one_and_keeps_every_class(sizes: list[int], limit: int, wanted: list[int]) -> None:
    index = files({f"c{i}": size for i, size in enumerate(sizes)})
    cut = limited(Found(index), limit, 0).train
    assert np.bincount(cut.targets, minlength=len(sizes)).tolist() == wanted
    assert cut.keys == limited(Found(index), limit, 0).train.keys
    assert len(set(cut.keys)) == limit


@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=12),
    share=st.floats(0, 1),
    seed=st.integers(0, 2**32 - 1),
)
def test_limits_are_kept_whatever_the_classes(sizes: list[int], share: float, seed: int) -> None:
    index = files({f"c{i}": size for i, size in enumerate(sizes)})
    limit = len(sizes) + round(share * (sum(sizes) - len(sizes)))
    counts = np.bincount(limited(Found(index), limit, seed).train.targets, minlength=len(sizes))
    assert counts.sum() == limit
    assert (counts >= 1).all()
    assert (counts <= sizes).all()


@pytest.mark.parametrize("seed", range(20))
def test_a_limit_keeps_every_label_of_sets(seed: int) -> None:
    rng = np.random.default_rng(seed)
    targets = (rng.random((200, 12)) < rng.random(12) * 0.2).astype(np.int64)
    targets[0, 3] = 1
    index = ImageFiles(Path("/data"), tuple(f"{i}.jpg" for i in range(200)), targets, tuple("abcdefghijkl"))
    cut = limited(Found(index), 20, seed).train
    assert 18 <= len(cut) <= 20
    assert cut.targets is not None
    assert ((cut.targets.sum(axis=0) > 0) == (targets.sum(axis=0) > 0)).all()


def test_a_limit_that_cannot_show_every_class_is_refused() -> None:
    alone = ImageFiles(Path("/data"), tuple("abcdef"), np.eye(6, dtype=np.int64), tuple("uvwxyz"))
    for index in (files({f"c{i}": 20 for i in range(6)}), alone):
        with pytest.raises(VtkError, match=r"5 images cannot show .* of the train split") as caught:
            limited(Found(index), 5, 0)
        assert (caught.value.place, caught.value.code) == ("data.limit", ExitCode.RECIPE)
        assert caught.value.hint == "set it to 6 or more"


@pytest.mark.parametrize("labels", [{"train": [0]}, {"test": [1]}, [0, 1]])
def test_labels_that_do_not_fit_the_samples_are_no_manifest(labels: Any, tmp_path: Path) -> None:
    manifest = {"version": 1, "classes": ["cat", "dog"], "samples": {"train": ["a", "b"]}, "labels": labels}
    (tmp_path / "a.json").write_text(json.dumps(manifest))
    with pytest.raises(VtkError, match="not a split manifest"):
        read_manifest(tmp_path / "a.json")


def grouped(groups: dict[str, dict[str, int]]) -> ImageFiles:
    """Images in one folder for each group: group → class → how many."""
    classes = tuple(sorted({name for held in groups.values() for name in held}))
    each = [
        (f"{group}/{name}{number}.jpg", classes.index(name))
        for group, held in groups.items()
        for name, count in held.items()
        for number in range(count)
    ]
    return ImageFiles(Path("/none"), tuple(path for path, _ in each), np.array([t for _, t in each]), classes)


@pytest.mark.parametrize("seed", range(3))
def test_two_groups_are_cut_though_one_lacks_a_class(seed: int) -> None:
    found, said = Found(grouped({"p1": {"cat": 8, "dog": 8}, "p2": {"cat": 2}})), []
    cut = split_found(found, SplitSection(val=0.2, group="folder"), seed, say=said.append)
    assert {path[:2] for path in cut.train.paths} == {"p1"}
    assert {path[:2] for path in cut.val.paths} == {"p2"}
    assert said == ["warning: all images of 'dog' belong to one group, so only one split shows them"]


@pytest.mark.parametrize("seed", range(6))
def test_as_many_groups_as_parts_leave_none_empty(seed: int) -> None:
    found = Found(grouped({"p1": {"cat": 8, "dog": 8}, "p2": {"cat": 3}, "p3": {"dog": 3}}))
    cut = split_found(found, SplitSection(val=0.3, test=0.02, group="folder"), seed)
    assert [len({path[:2] for path in part.paths}) for part in (cut.train, cut.val, cut.test)] == [1, 1, 1]


def test_groups_of_one_class_each_are_refused_where_training_would_lack_one() -> None:
    with pytest.raises(VtkError, match=r"all belong together \(one group\) cannot be split.*'cat', 'dog'"):
        split_found(Found(grouped({"p1": {"cat": 8}, "p2": {"dog": 8}})), SplitSection(group="folder"), seed=0)
    cut = split_found(
        Found(grouped({"p1": {"cat": 8}, "p2": {"dog": 8}, "p3": {"dog": 3}})), SplitSection(group="folder"), seed=0
    )
    assert {path[:2] for path in cut.val.paths} == {"p3"}


def test_more_folds_than_images_hint_at_folds() -> None:
    with pytest.raises(VtkError) as told:
        split_found(Found(files({"cat": 4, "dog": 4})), SplitSection(folds=20, fold=19), seed=0)
    assert "data.split.folds to less than 20" in str(told.value)
    assert "data.split.val" not in str(told.value)
