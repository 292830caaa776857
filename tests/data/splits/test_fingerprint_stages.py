"""Equal files are found by reading as little as can decide it, and what was read once is not read again."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opened import looked_at, opened

from toolkit.data.io.file_stats import file_states
from toolkit.data.sources import Folder, Found, ImageFiles
from toolkit.data.splits.early_subsample import split_within
from toolkit.data.splits.fingerprints import Kept, equal_files
from toolkit.data.splits.fingerprints.kept import FEWEST, _make_room
from toolkit.data.splits.fingerprints.stages import END
from toolkit.data.splits.groups import copies
from toolkit.data.splits.manifest import write_cut
from toolkit.data.splits.splits import SplitSection, split_found
from toolkit.data.splits.subsample import limited
from toolkit.labelled_images.data import fingerprint


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("VTK_CACHE", str(folder))
    return folder / "fingerprints"


def written(folder: Path, contents: Sequence[bytes], classes: int = 2) -> ImageFiles:
    """Files of these contents, in as many class folders."""
    for place in range(classes):
        (folder / f"class{place}").mkdir(parents=True, exist_ok=True)
    paths = [f"class{place % classes}/{place:05}.png" for place in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        (folder / path).write_bytes(content)
    return ImageFiles(folder, paths, np.arange(len(paths)) % classes, tuple(f"class{i}" for i in range(classes)))


def fresh(index: ImageFiles) -> ImageFiles:
    """The same files, of which nothing is known yet; after a while in which they could not have changed unseen."""
    newest = int(file_states(index.locations).max(axis=0)[2])
    while time.time_ns() < newest + 100_000_000:
        time.sleep(0.01)
    return ImageFiles(index.root, index.paths, index.targets, index.classes)


def numbered(count: int, size: int = 400) -> list[bytes]:
    """Different contents of one size."""
    return [i.to_bytes(4, "big") + bytes(size - 4) for i in range(count)]


def first_equal(contents: Sequence[bytes]) -> list[int]:
    return [i if not content else contents.index(content) for i, content in enumerate(contents)]


pieces = st.sampled_from([b"", b"a", b"b", bytes(END), b"x" * END, b"y" * (END + 1)])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(pieces, pieces, pieces).map(b"".join), max_size=12))
def test_equal_files_are_those_with_equal_content(contents: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        index = written(Path(folder), contents)
        assert equal_files(index.locations, index.states).tolist() == first_equal(contents)


def test_files_that_differ_in_the_middle_alone_are_no_copies(tmp_path: Path) -> None:
    middles = [bytes([value]) * 3 for value in (1, 2, 1)]
    index = written(tmp_path, [b"h" * END + middle + b"t" * END for middle in middles])
    assert equal_files(index.locations, index.states).tolist() == [0, 1, 0]


def test_files_of_different_sizes_are_not_opened(tmp_path: Path) -> None:
    index = written(tmp_path, [bytes(size) for size in range(1, 300)])
    with opened(tmp_path) as files:
        assert copies(index, "exact").tolist() == list(range(299))
    assert not files


def test_only_what_begins_and_ends_alike_is_read_whole(tmp_path: Path) -> None:
    whole = b"h" * END + bytes(100) + b"t" * END
    others = [b"h" * END + bytes(100) + i.to_bytes(4, "big") + b"t" * (END - 4) for i in range(50)]
    index = written(tmp_path, [whole, *others, whole])
    with opened(tmp_path) as files:
        labels = copies(index, "exact").tolist()
    assert labels == [*range(51), 0]
    assert {path for path, times in files.items() if times > 1} == {index.paths[0], index.paths[51]}


def test_a_second_start_reads_nothing(tmp_path: Path, own_cache: Path) -> None:
    index = fresh(written(tmp_path, [*numbered(FEWEST), *numbered(20)]))
    with opened(tmp_path) as files:
        before = copies(index, "exact")
    assert (len(files), set(files.values())) == (FEWEST + 20, {1})
    with opened(tmp_path) as again:
        assert copies(fresh(index), "exact").tolist() == before.tolist()
    assert not again
    assert before[FEWEST:].tolist() == list(range(20))
    elsewhere = ImageFiles(Path(os.path.relpath(tmp_path)), index.paths)
    with opened(tmp_path) as by_another_name:
        copies(elsewhere, "exact")
    assert not by_another_name
    assert len(list(own_cache.iterdir())) == 1


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    contents = numbered(FEWEST)
    index = fresh(written(tmp_path, contents))
    copies(index, "exact")
    changed = tmp_path / index.paths[7]
    times = changed.stat().st_atime_ns, changed.stat().st_mtime_ns
    changed.write_bytes(contents[3])
    os.utime(changed, ns=times)
    with opened(tmp_path) as files:
        labels = copies(fresh(index), "exact")
    assert files == {index.paths[7]: 1}
    assert labels[7] == 3


def test_a_file_that_may_still_change_unseen_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = written(tmp_path, numbered(FEWEST))
    changed = index.states[:, 1:3].max(axis=1)
    with monkeypatch.context() as patch:
        patch.setattr(time, "time_ns", lambda: int(changed.max()) + 1)
        copies(index, "exact")
    with opened(tmp_path) as files:
        equal_files(index.locations, index.states, Kept(tmp_path))
    assert set(files) == {index.paths[i] for i in np.flatnonzero(changed > changed.max() - 50_000_000).tolist()}


@pytest.mark.parametrize("harm", ["cut", "flipped", "emptied", "folder", "of another user"])
def test_kept_fingerprints_that_cannot_be_trusted_are_made_anew(
    harm: str, tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = fresh(written(tmp_path, [*numbered(FEWEST), b"same" * 9, b"same" * 9]))
    expected = copies(index, "exact").tolist()
    [kept] = own_cache.iterdir()
    content = bytearray(kept.read_bytes())
    if harm == "of another user":
        other = os.getuid() + 1
        monkeypatch.setattr(os, "getuid", lambda: other)
    elif harm == "folder":
        kept.unlink()
        kept.mkdir()
    else:
        content[len(content) // 2] ^= 1
        kept.write_bytes({"cut": content[:-1], "flipped": content, "emptied": b""}[harm])
    with opened(tmp_path) as files:
        assert copies(fresh(index), "exact").tolist() == expected
    assert len(files) == FEWEST + 2
    if harm in ("cut", "flipped", "emptied"):
        with opened(tmp_path) as files:
            assert copies(fresh(index), "exact").tolist() == expected
        assert not files


def test_where_nothing_can_be_kept_files_are_read_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("VTK_CACHE", str(tmp_path / "file"))
    index = fresh(written(tmp_path / "data", numbered(FEWEST)))
    for _ in range(2):
        with opened(tmp_path / "data") as files:
            copies(fresh(index), "exact")
        assert len(files) == FEWEST


def test_runs_that_keep_at_once_leave_something_whole(tmp_path: Path) -> None:
    index = fresh(written(tmp_path, numbered(2 * FEWEST)))
    halves = [index.take(range(FEWEST)), index.take(range(FEWEST, 2 * FEWEST))] * 3
    at_once = threading.Barrier(len(halves))

    def run(half: ImageFiles) -> None:
        at_once.wait()
        for _ in range(5):
            equal_files(half.locations, half.states, Kept(tmp_path))

    threads = [threading.Thread(target=run, args=(half,)) for half in halves]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with opened(tmp_path) as files:
        copies(fresh(index), "exact")
    assert len(files) in (0, FEWEST)


def test_what_was_unused_for_longest_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from toolkit.data.splits.fingerprints import kept

    monkeypatch.setattr(kept, "_ROOM", 250)
    for age, name in enumerate(("new", "old", "older")):
        (tmp_path / name).write_bytes(bytes(100))
        os.utime(tmp_path / name, (10**9 - age, 10**9 - age))
    _make_room(tmp_path / "new")
    assert {file.name for file in tmp_path.iterdir()} == {"new", "old"}


def test_each_file_is_looked_at_once_from_listing_to_manifest(tmp_path: Path) -> None:
    index = written(tmp_path / "data", [bytes(size) for size in range(1, 101)])
    with opened(tmp_path / "data") as files, looked_at(tmp_path / "data") as looks:
        found = Folder(name="folder", root=str(tmp_path / "data")).load()
        cut = split_found(found, SplitSection(val=0.2), seed=0)
        fingerprint(cut)
        write_cut(tmp_path / "split.json", cut, 0)
    assert not files
    assert {path: looks[path] for path in index.paths} == dict.fromkeys(index.paths, 1)


@pytest.mark.parametrize("size", ["of one size", "of many sizes"])
def test_what_a_limit_leaves_out_is_not_opened(size: str, tmp_path: Path) -> None:
    contents = numbered(5000) if size == "of one size" else [bytes(i) for i in range(1, 5001)]
    found = Found(written(tmp_path, contents))
    section = SplitSection(val=0.3, test=0.1)
    with opened(tmp_path) as files, looked_at(tmp_path) as looks:
        cut = split_within(found, section, 100, 7)
    parts = [part for part in (cut.train, cut.val, cut.test) if part is not None]
    assert [len(part) for part in parts] == [100, 100, 100]
    kept = {path for part in parts for path in part.keys}
    assert set(files) == (kept if size == "of one size" else set())
    assert set(looks) == kept
    as_ever = limited(split_found(found, section, 7), 100, 7)
    assert [part.keys for part in parts] == [as_ever.train.keys, as_ever.val.keys, as_ever.test.keys]  # type: ignore[union-attr]


@pytest.mark.parametrize("sets", [False, True])
def test_a_limit_keeps_no_picture_in_two_parts(sets: bool, tmp_path: Path) -> None:
    """Each content is there three times, so that a cut without a look at them tears most apart."""
    index = written(tmp_path, [content for content in numbered(60) for _ in range(3)])
    if sets:
        labels = np.random.default_rng(0).integers(0, 2, (180, 4))
        index = ImageFiles(index.root, index.paths, labels, tuple("abcd"))
    for seed in range(4):
        cut = split_within(Found(index), SplitSection(val=0.4), 25, seed)
        train, val = ({path.read_bytes() for path in part.files} for part in (cut.train, cut.val))  # type: ignore[union-attr]
        assert not train & val
        assert len(cut.train) == len(cut.val) == 25  # type: ignore[arg-type]
        for part in (cut.train, cut.val):
            shown = part.targets.any(axis=0).all() if sets else set(part.targets.tolist()) == {0, 1}  # type: ignore[union-attr]
            assert shown


def test_copies_within_a_limit_are_no_reason_to_read_the_rest(tmp_path: Path) -> None:
    index = written(tmp_path, [content for content in numbered(400) for _ in range(3)])
    with opened(tmp_path) as files:
        cut = split_within(Found(index), SplitSection(val=0.4), 60, 1)
    train, val = ({path.read_bytes() for path in part.files} for part in (cut.train, cut.val))  # type: ignore[union-attr]
    assert not train & val
    assert len(files) < 200


def test_a_limit_that_would_cost_a_part_a_class_looks_at_everything(tmp_path: Path) -> None:
    """Of the second class there are two pictures, one of them ten times."""
    contents = numbered(13)
    index = written(tmp_path, [contents[0]] * 10 + contents[1:], classes=1)
    index = ImageFiles(index.root, index.paths, np.array([1] * 11 + [0] * 11), ("a", "b"))
    for seed in range(6):
        cut = split_within(Found(index), SplitSection(val=0.5), 4, seed)
        parts: list[ImageFiles] = [cut.train, cut.val]  # type: ignore[list-item]
        assert [set(part.targets.tolist()) for part in parts] == [{0, 1}, {0, 1}]  # type: ignore[union-attr]
        held = [{path.read_bytes() for path in part.files} for part in parts]
        assert not held[0] & held[1]


def test_copies_across_given_parts_are_told_of_what_a_limit_leaves(tmp_path: Path) -> None:
    index, said = written(tmp_path, [*numbered(10), *numbered(10)], classes=1), []
    targets = np.arange(10) % 2
    found = Found(
        ImageFiles(index.root, index.paths[:10], targets, ("a", "b")),
        val=ImageFiles(index.root, index.paths[10:], targets, ("a", "b")),
    )
    cut = split_within(found, SplitSection(), 10, 0, say=said.append)
    assert len(cut.val) == 10  # type: ignore[arg-type]
    assert len(said) == 1
    assert "10 images are copies" in said[0]


def test_parts_keep_what_is_known_of_their_files(tmp_path: Path) -> None:
    index = written(tmp_path, [bytes(size) for size in range(1, 21)])
    sizes = index.states[:, 0]
    with looked_at(tmp_path) as looks:
        cut = split_found(Found(index), SplitSection(val=0.5), seed=0)
        assert sorted([*cut.train.states[:, 0], *cut.val.states[:, 0]]) == sizes.tolist()  # type: ignore[union-attr]
    assert not looks
