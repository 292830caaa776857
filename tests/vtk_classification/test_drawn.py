"""The drawn data: always the same, atomically kept, and told apart by shape alone."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from toolkit.data.io.decode import decode
from toolkit.data.sources import Found, ImageArrays, ImageFiles
from toolkit.errors import ExitCode, VtkError
from vtk_classification.drawn import Drawn
from vtk_classification.drawn.creatures import draw_creature
from vtk_classification.drawn.shapes import SHAPES


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


def draw(**section: Any) -> Found:
    return Drawn(name="drawn", **section).load()


@pytest.fixture(scope="module")
def creatures(cache: Path) -> Found:
    return draw(count=200, test_count=20)


def test_kaggles_naming_sizes_and_classes(creatures: Found) -> None:
    train, test = creatures.train, creatures.test
    assert isinstance(train, ImageFiles)
    assert isinstance(test, ImageFiles)
    assert (len(train), len(test)) == (200, 20)
    assert train.classes == ("cat", "dog")
    assert train.targets is not None
    assert train.targets.mean() == 0.5
    assert not set(train.paths) & set(test.paths)
    assert len({path.parent for path in train.files}) == 1
    sizes = []
    for path, target in zip(train.files, train.targets, strict=True):
        match = re.fullmatch(r"(cat|dog)\.\d+\.jpg", path.name)
        assert match is not None
        assert match[1] == train.classes[target]
        assert path.read_bytes()[:3] == b"\xff\xd8\xff"
        sizes.append(decode(path).shape[:2])
    assert np.min(sizes) >= 200
    assert np.max(sizes) <= 1024
    assert np.max(sizes) > 2 * np.min(sizes)


def test_equal_parameters_draw_equal_pictures() -> None:
    def one(seed: int) -> np.ndarray:
        return draw_creature("cat", np.random.default_rng(seed))

    assert np.array_equal(one(1), one(1))
    assert one(1).shape != one(2).shape or not np.array_equal(one(1), one(2))
    shapes = [draw(kind="shapes", count=40, seed=seed).train for seed in (0, 0, 1)]
    assert np.array_equal(shapes[0].images, shapes[1].images)  # type: ignore[union-attr]
    assert not np.array_equal(shapes[0].images, shapes[2].images)  # type: ignore[union-attr]


def easy_features(path: Path) -> np.ndarray:
    """What a lazy model could go by: colours, brightness, size, proportions, bytes."""
    pixels = decode(path)
    height, width = pixels.shape[:2]
    pixels = pixels[::4, ::4]
    colours = [np.histogram(pixels[..., c], 8, (0, 256))[0] / pixels[..., c].size for c in range(3)]
    weight = path.stat().st_size
    rest = [height / 1000, width / 1000, height / width, weight / 1e5, weight / (height * width)]
    return np.concatenate([*colours, pixels.mean(axis=(0, 1)) / 255, pixels.std(axis=(0, 1)) / 255, rest])


def test_colour_and_size_tell_nothing(creatures: Found) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    assert isinstance(creatures.train, ImageFiles)
    features = np.stack([easy_features(path) for path in creatures.train.files])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    accuracy = cross_val_score(model, features, creatures.train.targets, cv=5).mean()
    assert accuracy < 0.62  # chance is 0.5; its standard error on 200 pictures 0.035


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_small_model_learns_what_an_untrained_one_cannot_tell(cache: Path) -> None:
    import torch
    from torch import nn

    from toolkit.data.loading.datasets import build_dataset
    from toolkit.data.preprocess import Preprocess

    torch.manual_seed(0)
    found = draw(count=1000, test_count=300, seed=3)
    assert found.test is not None
    preprocess = Preprocess(height=64, width=64, resize=64, mean=[0.5] * 3, std=[0.25] * 3)
    normalize = preprocess.normalize()
    layers = [(3, 16), (16, 32), (32, 64), (64, 64)]
    blocks = [[nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU(), nn.MaxPool2d(2)] for a, b in layers]
    model = nn.Sequential(
        *[layer for block in blocks for layer in block], nn.Flatten(), nn.Dropout(0.5), nn.Linear(1024, 2)
    )
    train, test = (
        normalize(build_dataset(part, preprocess).__getitems__(range(len(part)))) for part in (found.train, found.test)
    )

    def accuracy() -> float:
        model.eval()
        with torch.inference_mode():
            right = model(test.inputs).argmax(1) == test.targets
        model.train()
        return float(right.float().mean())

    assert accuracy() == pytest.approx(0.5, abs=0.1)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    for _ in range(12):
        for chosen in torch.randperm(len(found.train)).split(32):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(train.inputs[chosen]), train.targets[chosen]).backward()
            optimizer.step()
    assert accuracy() > 0.88


def test_a_second_use_draws_nothing(creatures: Found, cache: Path) -> None:
    assert isinstance(creatures.train, ImageFiles)
    before = {path: path.stat().st_mtime_ns for path in creatures.train.files}
    source = Drawn(name="drawn", count=200, test_count=20)
    (source.folder() / ".DS_Store").touch()
    assert source.is_drawn()
    source.load()
    (source.folder() / ".DS_Store").unlink()
    assert {path: path.stat().st_mtime_ns for path in creatures.train.files} == before
    assert os.listdir(source.folder().parent) == [source.folder().name]


def test_two_at_once_and_a_damaged_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    source = Drawn(name="drawn", count=20, seed=5)
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: source.load(), range(2)))
    assert both[0].train.keys == both[1].train.keys
    contents = {path.name: path.read_bytes() for path in source.folder().iterdir()}
    assert len(contents) == 20
    assert [p.name for p in source.folder().parent.iterdir()] == [source.folder().name]
    (source.folder() / "cat.3.jpg").unlink()
    assert not source.is_drawn()
    source.load()
    assert {path.name: path.read_bytes() for path in source.folder().iterdir()} == contents


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(VtkError, match="cannot be kept here") as caught:
        draw(count=20)
    assert caught.value.code == ExitCode.CANNOT_CREATE


def test_shapes_have_cifars_form() -> None:
    found = draw(kind="shapes", count=60, test_count=20)
    assert isinstance(found.train, ImageArrays)
    assert isinstance(found.test, ImageArrays)
    assert found.train.images.shape == (60, 32, 32, 3)
    assert found.train.images.dtype == np.uint8
    assert found.train.classes == tuple(SHAPES)
    assert len(SHAPES) == 10
    assert found.train.targets is not None
    assert np.bincount(found.train.targets).tolist() == [6] * 10
    assert not any(np.array_equal(a, b) for a in found.train.images for b in found.test.images)
