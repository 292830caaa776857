"""Keeping decoded pictures: it saves decoding and changes nothing, however often and by whomever it is filled."""

from __future__ import annotations

import logging
import os
import pickle
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from toolkit.data.augment.augment import Preset
from toolkit.data.io import decode as decoding
from toolkit.data.io.decode import Encoded, ImageError, decode
from toolkit.data.loading.cache import DiskStore, MemoryStore, PictureKeys, PlaceKeys, cache_folder, trim
from toolkit.data.loading.datasets import FileDataset, build_dataset
from toolkit.data.loading.image_cache import CacheChoice, CacheSection, Keep, Reader, Shrunk
from toolkit.data.loading.loaders import build_loader
from toolkit.data.preprocess import Preprocess
from toolkit.data.sources import ImageArrays, ImageFiles
from toolkit.errors import VtkError
from toolkit.types.data import IndexBatch

MODEL = Preprocess(height=32, width=32, resize=40)
PICTURE = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
KEY = "ab" * 20


def index_of(folder: Path) -> ImageFiles:
    names = tuple(sorted(path.name for path in folder.iterdir()))
    return ImageFiles(folder, names, np.arange(len(names)) % 2, ("cat", "dog"))


def keep(choice: CacheChoice, shrink: int | None = None, *, processes: bool = False, writes: bool = True) -> Keep:
    return Keep(choice, shrink, processes=processes, writes=writes)


def on_disk(folder: Path, **options: Any) -> CacheSection:
    return CacheSection(keep="disk", folder=str(folder), **options)


def epochs(dataset: Any, count: int = 2) -> list[torch.Tensor]:
    return [dataset.__getitems__(IndexBatch(np.arange(len(dataset)), seed=4, epoch=e)).inputs for e in range(count)]


@pytest.mark.parametrize(("split", "augment"), [("train", "standard"), ("train", "strong"), ("val", "none")])
@pytest.mark.parametrize("shrink", [None, 48])
def test_no_result_depends_on_what_is_kept(
    split: str, augment: Preset, shrink: int | None, pets: Path, tmp_path: Path
) -> None:
    """Cold and warm, in memory, on disk, kept in part, too large to keep: the same pictures."""
    choices: list[CacheChoice] = ["auto", "ram", on_disk(tmp_path), on_disk(tmp_path)]
    choices += [CacheSection(keep="ram", gigabytes=5e-5), on_disk(tmp_path / "part", gigabytes=5e-5)]
    plain = epochs(build_dataset(index_of(pets), MODEL, augment, "error", keep("off", shrink), split))
    assert augment == "none" or not torch.equal(*plain)
    for choice in choices:
        kept = keep(choice, shrink)
        dataset = build_dataset(index_of(pets), MODEL, augment, "error", kept, split)
        assert all(torch.equal(a, b) for a, b in zip(epochs(dataset), plain, strict=True))
        assert kept.plan[split]


def test_a_picture_is_decoded_once(pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[str] = []
    read = decoding.read_bytes
    monkeypatch.setattr(decoding, "read_bytes", lambda path: decoded.append(str(path)) or read(path))
    for choice, again in (("ram", 12), (on_disk(tmp_path), 0)):
        for expected in (12, again):  # a second run finds only what lies on disk
            dataset = build_dataset(index_of(pets), MODEL, "standard", "error", keep(choice))
            decoded.clear()
            epochs(dataset, 3)
            assert len(decoded) == expected


def test_worker_processes_share_the_files(pets: Path, tmp_path: Path) -> None:
    kept = keep(on_disk(tmp_path), processes=True)
    dataset = build_dataset(index_of(pets), MODEL, "standard", "error", kept)
    plain = build_dataset(index_of(pets), MODEL, "standard", "error", keep("off"))
    seen = []
    dataset = pickle.loads(pickle.dumps(dataset))
    modes: list[dict[str, Any]] = [{"workers": 0}, {"workers": 2, "kind": "process"}]
    for one, mode in zip((plain, dataset), modes, strict=True):
        with build_loader(one, batch_size=5, seed=9, shuffle=True, **mode) as loader:
            seen.append([batch.inputs for number in range(2) for batch in loader.once(number)])
    assert all(torch.equal(a, b) for a, b in zip(*seen, strict=True))
    assert len([path for path in tmp_path.rglob("*") if len(path.name) == 40]) == 12


def test_memory_is_refused_where_processes_would_not_share_it(pets: Path) -> None:
    with pytest.raises(VtkError, match="do not share memory") as told:
        keep("ram", processes=True)
    assert "data.cache to disk" in str(told.value.hint)
    kept = keep("auto", processes=True)
    build_dataset(index_of(pets), MODEL, "standard", "error", kept)
    assert "processes share no memory" in kept.plan["train"]
    with pytest.raises(VtkError, match="worker processes"):
        MemoryStore().__reduce__()


@pytest.mark.parametrize("spoil", ["cut", "emptied", "changed", "foreign", "lengthened"])
def test_a_damaged_file_is_made_anew(spoil: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    DiskStore(tmp_path).put(KEY, PICTURE)
    path = tmp_path / KEY[:2] / KEY
    data = bytearray(path.read_bytes())
    data[-3] ^= 1 if spoil == "changed" else 0
    data[0] ^= 1 if spoil == "foreign" else 0
    whole = bytes(data)
    path.write_bytes({"cut": whole[:-1], "emptied": b"", "lengthened": whole + b"x"}.get(spoil, whole))
    store = DiskStore(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert store.get(KEY) is None
    assert "damaged" in caplog.text
    assert not path.exists()
    store.put(KEY, PICTURE)
    found = store.get(KEY)
    assert found is not None
    assert np.array_equal(found, PICTURE)
    assert not found.flags.writeable


def test_many_writers_of_one_picture(tmp_path: Path) -> None:
    """Readers meet the whole picture or none."""
    wrong: list[Any] = []

    def work() -> None:
        store = DiskStore(tmp_path)
        for _ in range(30):
            store.put(KEY, PICTURE)
            found = store.get(KEY)
            if found is None or not np.array_equal(found, PICTURE):
                wrong.append(found)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert [path.name for path in tmp_path.rglob("*") if path.is_file() and path.name != "used"] == [KEY]


def test_a_folder_that_takes_nothing_stops_no_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    store = DiskStore(tmp_path / "file")
    with caplog.at_level(logging.WARNING):
        store.put(KEY, PICTURE)
        store.put(KEY, PICTURE)
    assert caplog.text.count("no more pictures are cached") == 1
    assert store.get(KEY) is None
    with pytest.raises(VtkError, match="cache cannot be used"):
        trim(tmp_path / "file", "group", 1)


def test_changed_files_and_other_forms_are_other_pictures(pets: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes((pets / "cat.0.jpg").read_bytes())
    found = {PictureKeys([path], "shrink 4")[0], PictureKeys([path], "shrink 5")[0]}
    os.utime(path, ns=(1, 1))
    found |= set(PictureKeys([path], "shrink 4"))
    (tmp_path / "b.jpg").write_bytes(path.read_bytes())
    os.utime(tmp_path / "b.jpg", ns=(1, 1))
    found |= set(PictureKeys([tmp_path / "b.jpg"], "shrink 4"))
    assert len(found) == 4


def test_what_was_unused_for_longest_makes_room(tmp_path: Path) -> None:
    mine, new, old, older = (letter * 16 for letter in "abcd")
    for age, name in enumerate((new, old, older)):
        DiskStore(tmp_path / name).put(KEY, np.zeros((100, 100, 3), np.uint8))
        trim(tmp_path, name, 10**9)
        os.utime(tmp_path / name / "used", (10**9 - age, 10**9 - age))
    (tmp_path / new / "half.tmp").write_bytes(b"x" * 100)
    os.utime(tmp_path / new / "half.tmp", (1, 1))
    assert trim(tmp_path, mine, 70_000) == 0
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == [mine, new, old]
    assert not (tmp_path / new / "half.tmp").exists()
    assert trim(tmp_path, old, 0) > 30_000
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == [old]


def test_what_else_lies_in_the_folder_stays(tmp_path: Path) -> None:
    thesis = tmp_path / "thesis" / "draft.tmp"
    like_a_group = tmp_path / ("e" * 16) / "letter"
    for path in (thesis, like_a_group):
        path.parent.mkdir()
        path.write_bytes(b"x" * 1000)
        os.utime(path, (1, 1))
    trim(tmp_path, "a" * 16, 0)
    assert thesis.exists()
    assert like_a_group.exists()


def test_where_the_files_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VTK_CACHE", str(tmp_path / "from environment"))
    assert cache_folder() == tmp_path / "from environment"
    assert cache_folder(str(tmp_path / "own")) == tmp_path / "own"
    monkeypatch.delenv("VTK_CACHE")
    assert cache_folder().parts[-2:] == ("vision-toolkit", "pictures")


def test_a_check_writes_nothing(pets: Path, tmp_path: Path) -> None:
    kept = keep(on_disk(tmp_path / "none"), writes=False)
    epochs(build_dataset(index_of(pets), MODEL, "standard", "error", kept))
    assert not (tmp_path / "none").exists()
    assert "on disk" in kept.plan["train"]


def test_auto_leaves_large_pictures_and_large_sets_alone(
    pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cv2.imwrite(str(tmp_path / "a.jpg"), np.zeros((1200, 1300, 3), np.uint8))
    assert keep("auto").reader("train", [str(tmp_path / "a.jpg")]) is None
    assert keep("auto").reader("train", [str(pets / "cat.0.jpg")]) is not None
    monkeypatch.setattr("toolkit.data.loading.image_cache.SMALL_SET", 60 * 80 * 3 - 1)
    assert keep("auto").reader("train", [str(pets / "cat.0.jpg")]) is None


def test_a_bad_file_is_told_each_time(tmp_path: Path, pets: Path) -> None:
    (tmp_path / "a.jpg").write_bytes((pets / "cat.0.jpg").read_bytes()[:-50])
    dataset = FileDataset(
        [tmp_path / "a.jpg"], None, MODEL, reader=Reader([str(tmp_path / "a.jpg")], MODEL, MemoryStore(), [KEY])
    )
    for _ in range(2):
        with pytest.raises(ImageError, match="truncated"):
            dataset[0]


@pytest.mark.parametrize(
    ("size", "shape"), [((90, 130), (30, 43, 3)), ((300, 130), (69, 30, 3)), ((20, 80), (20, 80, 3))]
)
def test_shrinking(size: tuple[int, int], shape: tuple[int, ...], tmp_path: Path) -> None:
    y, x = np.mgrid[0 : size[0], 0 : size[1]]
    cv2.imwrite(str(tmp_path / "a.jpg"), np.stack([x % 256, y % 256, (x + y) // 3 % 256], axis=2).astype(np.uint8))
    shrunk = Shrunk(30)(Encoded.of_file(tmp_path / "a.jpg"))
    assert shrunk.shape == shape
    reference = cv2.resize(decode(tmp_path / "a.jpg"), shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(shrunk.astype(int) - reference).mean() < 3


def test_pictures_in_memory_have_nothing_to_keep() -> None:
    arrays = ImageArrays(np.zeros((4, 32, 32, 3), np.uint8), np.zeros(4, np.int64), ("a", "b"))
    kept = keep("ram")
    build_dataset(arrays, MODEL, "none", "error", kept)
    assert kept.plan == {"train": "in memory as they come"}
    with pytest.raises(VtkError, match="not read from files"):
        build_dataset(arrays, MODEL, "none", "error", keep("auto", 48))


def test_a_picture_that_appears_while_it_is_looked_for_is_not_taken_for_a_damaged_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Two runs fill one folder: the other one's file lands just after this one found none."""
    other, mine = DiskStore(tmp_path), DiskStore(tmp_path)

    def too_early(path: Path, mode: str) -> Any:
        other.put(KEY, PICTURE)
        raise FileNotFoundError(2, "none yet", str(path))

    with monkeypatch.context() as patch:
        patch.setattr("toolkit.data.loading.cache.open", too_early, raising=False)
        assert mine.get(KEY) is None
    assert not caplog.records
    kept = mine.get(KEY)
    assert kept is not None
    assert np.array_equal(kept, PICTURE)


def test_a_folder_for_memory_is_refused() -> None:
    with pytest.raises(ValueError, match="folder goes with keep: disk"):
        CacheSection(keep="ram", folder="somewhere")


def test_a_file_replaced_by_another_of_its_size_and_time_is_another_picture(tmp_path: Path) -> None:
    path, other = tmp_path / "a.bmp", tmp_path / "b.bmp"
    for number, file in enumerate((path, other)):
        cv2.imwrite(str(file), np.full((8, 8, 3), number, np.uint8))
        os.utime(file, (10**9, 10**9))
    assert path.stat().st_size == other.stat().st_size
    before = PictureKeys([path], "")[0]
    os.replace(other, path)
    assert path.stat().st_mtime == 10**9
    assert PictureKeys([path], "")[0] != before


def test_a_reserve_of_the_disk_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = DiskStore(tmp_path / ("a" * 16), reserve=1e18)
    with caplog.at_level(logging.WARNING):
        store.put(KEY, PICTURE)
    assert store.get(KEY) is None
    assert "GB are free" in caplog.text
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_group_that_was_cleared_away_in_use_is_found_again(tmp_path: Path) -> None:
    mine, other = "a" * 16, "b" * 16
    store = DiskStore(tmp_path / mine)
    trim(tmp_path, mine, 10**9)
    store.put(KEY, PICTURE)
    trim(tmp_path, other, 0)
    assert not (tmp_path / mine).exists()
    store.put(KEY, PICTURE)
    assert trim(tmp_path, other, 0) == 0
    assert not (tmp_path / mine).exists()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_a_share_of_the_pictures_in_memory_is_kept_evenly(share: float) -> None:
    keys = PlaceKeys(1000, share)
    kept = [key for key in keys if key is not None]
    assert len(set(kept)) == len(kept) == round(1000 * share)
    assert sum(key is not None for key in keys[:100]) == pytest.approx(100 * share, abs=1)
    assert list(keys)[:100] == keys[:100]
