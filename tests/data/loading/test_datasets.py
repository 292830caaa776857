"""Datasets: the same samples one by one, in batches and through any loader; training augmented, validation not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from toolkit.data.augment.albumentations_pipeline import AugmentPipeline
from toolkit.data.io.decode import ImageError, decode, require_pictures
from toolkit.data.loading.datasets import ArrayDataset, FileDataset, build_dataset
from toolkit.data.loading.loaders import build_loader
from toolkit.data.preprocess import Preprocess
from toolkit.data.sources import ImageArrays, ImageFiles
from toolkit.data.sources.pattern import Pattern
from toolkit.data.splits.splits import SplitSection, split_found
from toolkit.errors import ExitCode, VtkError
from toolkit.types.data import Batch, IndexBatch, SampleIndex

SMALL = Preprocess(height=32, width=32, resize=40)
TINY = Preprocess(height=12, width=12, resize=None, mean=[0.5], std=[0.5])


def found(pets: Path) -> Any:
    return Pattern(name="pattern", root=str(pets), pattern=r"(?P<label>cat|dog)\.\d+\.jpg").load()


def array_index(count: int = 60, shape: tuple[int, ...] = (12, 12, 3)) -> ImageArrays:
    images = np.random.default_rng(3).integers(0, 256, (count, *shape), dtype=np.uint8)
    return ImageArrays(images, np.arange(count) % 3, ("a", "b", "c"))


def same(one: Batch, other: Batch) -> bool:
    return torch.equal(one.inputs, other.inputs) and torch.equal(one.targets, other.targets)


def test_training_is_augmented_and_validation_is_not_on_one_split(pets: Path) -> None:
    """Both halves come from one index; each has a transform of its own, so neither can touch the other's."""
    cut = split_found(found(pets), SplitSection(val=0.5), seed=0)
    val = build_dataset(cut.val, SMALL)
    train = build_dataset(cut.train, SMALL, "standard")
    for place, path in enumerate(cut.val.files):
        expected = SMALL(decode(path))
        for epoch in range(3):
            assert np.array_equal(val[SampleIndex(place, seed=1, epoch=epoch)][0], expected)
    for place, path in enumerate(cut.train.files):
        plain = SMALL(decode(path))
        seen = [train[SampleIndex(place, seed=1, epoch=epoch)][0] for epoch in range(3)]
        assert len({picture.tobytes() for picture in (plain, *seen)}) == 4


@pytest.mark.parametrize("augment", ["none", "standard", "strong"])
def test_pictures_in_memory_follow_the_same_rule(augment: Any) -> None:
    index = array_index()
    dataset = build_dataset(index, TINY, augment)
    epochs = [dataset.__getitems__(IndexBatch(np.arange(60), seed=1, epoch=e)).inputs.numpy() for e in (0, 1)]
    assert np.array_equal(epochs[0], epochs[1]) == (augment == "none")
    assert np.array_equal(epochs[0], index.images) == (augment == "none")
    assert np.array_equal(build_dataset(index, TINY).__getitems__(range(60)).inputs.numpy(), index.images)


@pytest.mark.parametrize("augment", ["none", "light", "standard", "strong"])
@pytest.mark.parametrize("kind", ["files", "arrays"])
def test_batches_are_their_samples_and_every_loader_gives_them(kind: str, augment: Any, pets: Path) -> None:
    dataset: FileDataset | ArrayDataset
    if kind == "files":
        dataset = build_dataset(found(pets).train, SMALL, augment)
    else:
        dataset = build_dataset(array_index(), TINY, augment)
    runs = []
    modes: list[dict[str, Any]] = [{"workers": 0}, {"workers": 3, "kind": "thread"}]
    for mode in modes:
        with build_loader(dataset, batch_size=5, seed=9, shuffle=True, **mode) as loader:
            runs.append(list(loader.once(2)))
            order = list(loader.order.one_pass(2))
    assert all(same(a, b) for a, b in zip(*runs, strict=True))
    for batch, indices in zip(runs[0], order, strict=True):
        for place, index in enumerate(indices):
            pixels, target = dataset[index]
            assert np.array_equal(batch.inputs[place].numpy(), pixels)
            assert int(batch.targets[place]) == target


def test_processes_give_the_same_augmented_pictures(pets: Path) -> None:
    dataset = build_dataset(found(pets).train, SMALL, "standard")
    runs = []
    modes: list[dict[str, Any]] = [{"workers": 0}, {"workers": 2, "kind": "process"}]
    for mode in modes:
        with build_loader(dataset, batch_size=5, seed=9, shuffle=True, **mode) as loader:
            runs.append(list(loader.once(1)))
    assert all(same(a, b) for a, b in zip(*runs, strict=True))


def test_batch_shapes_and_types(pets: Path) -> None:
    batch = build_dataset(found(pets).train, SMALL).__getitems__([0, 1, 2])
    assert isinstance(batch, Batch)
    assert (batch.inputs.shape, batch.inputs.dtype) == ((3, 32, 32, 3), torch.uint8)
    assert (batch.targets.tolist(), batch.targets.dtype) == ([0, 0, 0], torch.int64)
    unlabelled = FileDataset(found(pets).train.files, None, SMALL)
    assert unlabelled.__getitems__([4]).targets is None
    assert unlabelled[4][1] is None


def test_several_targets_a_sample() -> None:
    many = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]
    dataset = ArrayDataset(np.zeros((4, 12, 12, 3), np.uint8), many, TINY)
    assert torch.equal(dataset.__getitems__([1, 3]).targets, torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]))


def test_a_broken_file_is_named_by_every_loader(pets: Path, tmp_path: Path) -> None:
    good = found(pets).train.files[0].read_bytes()
    for number in range(6):
        (tmp_path / f"{number}.jpg").write_bytes(good if number != 4 else good[: len(good) // 2])
    index = ImageFiles(tmp_path, tuple(f"{i}.jpg" for i in range(6)), np.zeros(6, np.int64), ("a", "b"))
    dataset = build_dataset(index, SMALL)
    modes: list[dict[str, Any]] = [{"workers": 0}, {"workers": 2, "kind": "thread"}, {"workers": 1, "kind": "process"}]
    for mode in modes:
        with (
            build_loader(dataset, batch_size=2, **mode) as loader,
            pytest.raises(ImageError, match="truncated") as caught,
        ):
            list(loader.once())
        assert caught.value.path == str(tmp_path / "4.jpg")


@pytest.mark.parametrize(
    ("shape", "preprocess"),
    [
        ((8, 8), Preprocess(height=16, width=16, resize=None, channels=1)),
        ((8, 8), Preprocess(height=8, width=8, resize=None, channels=3)),
        ((8, 8, 3), Preprocess(height=8, width=8, resize=None, channels=1)),
        ((32, 32, 3), Preprocess(height=24, width=24, resize=24)),
    ],
)
def test_pictures_in_memory_are_fitted_as_evaluation_would(shape: tuple[int, ...], preprocess: Preprocess) -> None:
    index = array_index(5, shape)
    dataset = ArrayDataset(index.images, index.targets, preprocess)
    for picture, original in zip(dataset.images, index.images, strict=True):
        assert np.array_equal(picture, preprocess(original.reshape(*shape[:2], -1)))


def test_who_needs_workers(pets: Path) -> None:
    assert build_dataset(array_index(), TINY, "standard").in_memory
    assert not build_dataset(array_index(), TINY, "strong").in_memory
    assert not build_dataset(found(pets).train, SMALL).in_memory


def test_a_text_file_with_a_pictures_name_is_told_before_training(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.jpg")
    (tmp_path / "notes.jpg").write_text("Buy milk.")
    require_pictures([tmp_path / "a.jpg"])
    with pytest.raises(ImageError, match=r"notes\.jpg.*no[t].*image") as told:
        require_pictures([tmp_path / "a.jpg", tmp_path / "notes.jpg"])
    assert "remove it" in str(told.value.hint)


def test_a_picture_that_a_crop_does_not_fit_is_named_with_a_remedy_that_works(tmp_path: Path) -> None:
    for name, height in (("large", 40), ("small", 9)):
        Image.fromarray(np.zeros((height, 40, 3), np.uint8)).save(tmp_path / f"{name}.png")
    crop = {"name": "RandomCrop", "height": 16, "width": 16}
    pad = {"name": "PadIfNeeded", "min_height": 16, "min_width": 16}

    def pictures(*steps: dict[str, Any]) -> FileDataset:
        preprocess = Preprocess(height=8, width=8, resize=None)
        paths = [str(tmp_path / "large.png"), str(tmp_path / "small.png")]
        return FileDataset(paths, None, AugmentPipeline(list(steps), preprocess))

    with pytest.raises(VtkError, match="a picture of 40 x 9 pixels") as caught:
        pictures(crop).__getitems__([0, 1])
    assert caught.value.place == str(tmp_path / "small.png")
    assert "{name: PadIfNeeded, min_height: 16, min_width: 16} before RandomCrop" in str(caught.value.hint)
    assert pictures(pad, crop).__getitems__([0, 1]).inputs.shape == (2, 8, 8, 3)


def test_what_would_fill_the_memory_is_refused_before_it_does() -> None:
    many = np.broadcast_to(np.zeros((1, 8, 8), np.uint8), (1_000_000, 8, 8))
    preprocess = Preprocess(height=8192, width=8192, resize=None, channels=1)
    with pytest.raises(VtkError, match=r"1,000,000 images of 8192 x 8192 pixels.* would take 67,108.9 GB") as caught:
        ArrayDataset(many, None, preprocess)
    assert caught.value.code == ExitCode.OUT_OF_MEMORY
    assert "data.limit" in str(caught.value.hint)


def test_a_batch_that_would_fill_the_memory_is_refused_before_it_does(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "a.png")
    large = np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (8192, 8192, 3))
    dataset = FileDataset([str(tmp_path / "a.png")], None, lambda _image, _index: large)
    with pytest.raises(VtkError, match="a batch of 1,000,000 images of 8192 x 8192 pixels would take") as caught:
        dataset.__getitems__(np.zeros(1_000_000, np.int64))  # type: ignore[arg-type]
    assert caught.value.code == ExitCode.OUT_OF_MEMORY
