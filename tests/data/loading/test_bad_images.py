"""Images that cannot be read: told with their file, or left out of their batch and never replaced."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from toolkit.data.io.decode import ImageError
from toolkit.data.loading.bad_images import Incomplete, Skipped, is_empty
from toolkit.data.loading.balance import EpochDraw, resampled
from toolkit.data.loading.datasets import FileDataset, build_dataset
from toolkit.data.loading.loaders import build_loader
from toolkit.data.preprocess import Preprocess
from toolkit.data.sources import ImageFiles
from toolkit.types.data import Batch, IndexBatch

SIZE = Preprocess(height=8, width=8, resize=None)
COUNT = 24
BAD = {3: "truncated", 8: "no image", 9: "gone", 10: "empty", 11: "truncated", 23: "truncated"}
MODES: list[dict[str, Any]] = [
    {"workers": 0},
    {"workers": 1, "kind": "thread"},
    {"workers": 3, "kind": "thread"},
    {"workers": 2, "kind": "process"},
]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> ImageFiles:
    """Pictures of one brightness each, ten times their number; the bad ones are bad in every way."""
    root = tmp_path_factory.mktemp("pictures")
    for number in range(COUNT):
        file = root / f"{number}.png"
        cv2.imwrite(str(file), np.full((8, 8, 3), 10 * number, np.uint8))
        spoil(file, BAD.get(number))
    return ImageFiles(root, tuple(f"{i}.png" for i in range(COUNT)), np.arange(COUNT) % 2, ("even", "odd"))


def spoil(file: Path, how: str | None) -> None:
    if how == "truncated":
        file.write_bytes(file.read_bytes()[:-20])
    elif how == "no image":
        file.write_text("Buy milk.")
    elif how == "empty":
        file.write_bytes(b"")
    elif how == "gone":
        file.unlink()


def numbers(batch: Batch) -> list[int]:
    """Which pictures a batch shows, by their brightness; each stands with its own target."""
    shown = (batch.inputs[:, 0, 0, 0] // 10).tolist() if len(batch.inputs) else []
    assert batch.targets.tolist() == [number % 2 for number in shown]
    return shown


def test_a_batch_holds_the_others_in_their_order(index: ImageFiles) -> None:
    dataset = build_dataset(index, SIZE, on_bad_image="skip")
    batch = dataset.__getitems__([4, 3, 2, 9, 1])
    assert isinstance(batch, Incomplete)
    assert numbers(batch) == [4, 2, 1]
    assert batch.places == (0, 2, 4)
    assert [Path(one.path).name for one in batch.skipped] == ["3.png", "9.png"]
    assert "truncated" in batch.skipped[0].reason
    assert batch.skipped[1].reason == "does not exist"
    assert not is_empty(batch)
    whole = dataset.__getitems__([0, 1])
    assert type(whole) is Batch


def test_a_batch_of_bad_images_is_empty(index: ImageFiles) -> None:
    batch = build_dataset(index, SIZE, on_bad_image="skip").__getitems__([8, 9, 10, 11])
    assert is_empty(batch)
    assert (len(batch.inputs), batch.inputs.dtype, len(batch.targets), batch.targets.dtype) == (
        0,
        torch.uint8,
        0,
        torch.int64,
    )


@pytest.mark.parametrize("augment", ["none", "standard"])
@pytest.mark.parametrize("mode", MODES[1:], ids=str)
def test_every_loader_leaves_out_the_same(index: ImageFiles, mode: dict[str, Any], augment: Any) -> None:
    def seen(mode: dict[str, Any]) -> tuple[list[torch.Tensor], list[list[Skipped]]]:
        told: list[Any] = []
        dataset = build_dataset(index, SIZE, augment, "skip")
        with build_loader(dataset, batch_size=4, seed=3, shuffle=True, on_skip=told.append, **mode) as loader:
            batches = [batch for number in (0, 1) for batch in loader.once(number)]
            assert len(batches) == 2 * len(loader) == 12
        return [part for batch in batches for part in batch], told

    one, other = seen(MODES[0]), seen(mode)
    assert all(torch.equal(a, b) for a, b in zip(one[0], other[0], strict=True))
    assert one[1] == other[1]
    assert sum(map(len, one[1])) == 2 * len(BAD)


def test_it_is_told_when_the_batch_has_its_turn(index: ImageFiles) -> None:
    """However far ahead it was fetched; so a resumed run is told the same."""
    told: list[Any] = []
    dataset = build_dataset(index, SIZE, on_bad_image="skip")
    with build_loader(dataset, batch_size=4, workers=3, prefetch=4, kind="thread", on_skip=told.append) as loader:
        batches = loader.once()
        counts = [(numbers(next(batches)), sum(map(len, told))) for _ in range(3)]
        batches.close()
    assert counts == [([0, 1, 2], 1), ([4, 5, 6, 7], 1), ([], 5)]


def test_the_listener_may_stop_it(index: ImageFiles) -> None:
    def refuse(_: Any) -> None:
        raise RuntimeError("enough")

    dataset = build_dataset(index, SIZE, on_bad_image="skip")
    with build_loader(dataset, batch_size=4, on_skip=refuse) as loader, pytest.raises(RuntimeError, match="enough"):
        list(loader.once())


@pytest.mark.parametrize("kind", ["weighted", "oversample"])
def test_drawn_anew_it_is_the_same(index: ImageFiles, kind: Any) -> None:
    draw = EpochDraw(kind, classes=np.arange(COUNT) % 3 == 0, weights=np.linspace(1, 5, COUNT))
    dataset = resampled(build_dataset(index, SIZE, on_bad_image="skip"), draw)
    for start in range(0, len(draw) - 6, 6):
        asked = IndexBatch(np.arange(start, start + 6), seed=1, epoch=2)
        drawn = draw.samples(1, 2)[0][asked.indices]
        batch = dataset.__getitems__(asked)
        assert numbers(batch) == [int(sample) for sample in drawn if sample not in BAD]
        if any(sample in BAD for sample in drawn):
            assert list(batch.places) == [place for place, sample in enumerate(drawn) if sample not in BAD]
            assert len(batch.skipped) + len(batch.places) == 6


def test_all_draws_bad(index: ImageFiles) -> None:
    bad_only = EpochDraw("weighted", weights=[1.0 if number in BAD else 0.0 for number in range(COUNT)])
    batch = resampled(build_dataset(index, SIZE, on_bad_image="skip"), bad_only).__getitems__([0, 1, 2, 3])
    assert is_empty(batch)
    assert len(batch.skipped) == 4


def test_an_incomplete_batch_travels_between_processes(index: ImageFiles) -> None:
    batch = build_dataset(index, SIZE, on_bad_image="skip").__getitems__([2, 3])
    back = pickle.loads(pickle.dumps(batch))
    assert isinstance(back, Incomplete)
    assert (numbers(back), back.places, back.skipped) == ([2], batch.places, batch.skipped)


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_an_error_names_the_file_and_the_way_out(index: ImageFiles, mode: dict[str, Any]) -> None:
    files = ImageFiles(index.root, index.paths[:8], np.arange(8) % 2, index.classes)
    with build_loader(build_dataset(files, SIZE), batch_size=2, **mode) as loader, pytest.raises(ImageError) as caught:
        list(loader.once())
    assert caught.value.path == str(index.root / "3.png")
    assert "data.on_bad_image: skip" in str(caught.value.hint)


def test_what_is_no_picture_is_told_before_training_or_left_out_in_it(index: ImageFiles) -> None:
    with pytest.raises(ImageError, match=r"8\.png") as caught:
        build_dataset(index, SIZE)
    assert "data.on_bad_image: skip" in str(caught.value.hint)
    with pytest.raises(ImageError) as plain:
        FileDataset(index.files, None, SIZE).__getitems__([3])
    assert "on_bad_image" not in str(plain.value.hint)


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_a_file_that_disappears_in_the_middle(tmp_path: Path, mode: dict[str, Any]) -> None:
    for number in range(40):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((8, 8, 3), number, np.uint8))
    files = ImageFiles(tmp_path, tuple(f"{i}.png" for i in range(40)), np.arange(40) % 2, ("even", "odd"))
    with build_loader(build_dataset(files, SIZE), batch_size=2, **mode) as loader:
        batches = loader.once()
        next(batches)
        (tmp_path / "39.png").unlink()
        with pytest.raises(ImageError, match="does not exist") as caught:
            list(batches)
    assert caught.value.path == str(tmp_path / "39.png")
