"""Decoding no more than is seen: a file and its pixels give the same view, whichever way the picture was held."""

from __future__ import annotations

import io
from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_sample_images

from toolkit.data.augment.augment import preset_steps
from toolkit.data.augment.fused_affine import augment_transform
from toolkit.data.io.decode import Encoded, ImageError
from toolkit.data.io.resize import area_resized
from toolkit.data.loading.datasets import FileDataset
from toolkit.data.loading.image_cache import Shrunk
from toolkit.data.preprocess import Preprocess
from toolkit.types.data import SampleIndex

MODEL = Preprocess(height=48, width=56, resize=64)
CROP = preset_steps("light", 48, 56)[0]
TURNED = [CROP, {"name": "HorizontalFlip", "p": 0.5}, {"name": "Rotate", "limit": 10, "p": 1.0}]
FLAT = [CROP, {"name": "HorizontalFlip", "p": 0.5}]


@cache
def photograph(height: int, width: int) -> np.ndarray:
    """Detail at every scale, each octave fainter than the last."""
    rng, total = np.random.default_rng(5), np.full((height, width, 3), 128.0)
    side, strength = 3, 45.0
    while side < width:
        coarse = rng.normal(0, strength, (max(2, side * height // width), side, 3))
        total += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        side, strength = side * 2, strength * 0.66
    return total.clip(0, 255).astype(np.uint8)


def jpeg(height: int, width: int, orientation: int = 1, **options: Any) -> bytes:
    exif, stream = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    Image.fromarray(photograph(height, width)).save(stream, "JPEG", quality=92, exif=exif.tobytes(), **options)
    return stream.getvalue()


def off(one: np.ndarray, other: np.ndarray) -> float:
    """Mean difference in grey levels, a rim of two pixels left out."""
    assert one.shape == other.shape
    return float(np.abs(one.astype(int) - other)[2:-2, 2:-2].mean())


@pytest.mark.parametrize("steps", [FLAT, TURNED, preset_steps("standard", 48, 56)], ids=["flat", "turned", "standard"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_crop_of_a_large_file_is_that_of_its_pixels(steps: list[dict[str, Any]], orientation: int) -> None:
    """Sides that are no whole number of blocks, so that a turned picture begins with a broken one."""
    file = Encoded(jpeg(451, 603, orientation), "a.jpg")
    whole, transform = file.pixels(), augment_transform(steps, MODEL)
    found = []
    for i in range(12):
        index = SampleIndex(i, seed=3)
        found.append(off(transform(file, index), transform(whole, index)))
    neighbour = transform(whole, index)
    assert 0 < np.mean(found) < 2
    assert max(found) < 3
    assert off(neighbour[:, 1:], neighbour[:, :-1]) > 2 * max(found)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("resize", [64, None])
def test_evaluation_of_a_large_file_is_that_of_its_pixels(orientation: int, resize: int | None) -> None:
    model = MODEL.model_copy(update={"resize": resize})
    file = Encoded(jpeg(451, 603, orientation), "a.jpg")
    assert 0 < off(model(file), model(file.pixels())) < 1


@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(st.integers(200, 500), st.integers(200, 500)),
    side=st.integers(20, 56),
    orientation=st.integers(1, 8),
    interpolation=st.sampled_from(["area", "bilinear", "bicubic", "lanczos"]),
    squeezed=st.booleans(),
)
def test_evaluation_of_any_file_is_within_2_grey_levels(
    size: tuple[int, int], side: int, orientation: int, interpolation: Any, squeezed: bool
) -> None:
    """To the rim: sides that are no whole number of blocks shift nothing."""
    resize = None if squeezed else side
    model = Preprocess(height=side, width=side, resize=resize, interpolation=interpolation)
    file = Encoded(jpeg(*size, orientation), "a.jpg")
    assert np.abs(model(file).astype(int) - model(file.pixels())).mean() < 2


@pytest.mark.parametrize("interpolation", ["area", "bilinear", "bicubic"])
@pytest.mark.parametrize("quality", [75, 92])
def test_photographs(interpolation: Any, quality: int) -> None:
    """The tolerances that are stated: 2 in evaluation; in training 7, and 4.5 over many."""
    trained = []
    for photograph in load_sample_images().images:
        stream = io.BytesIO()
        Image.fromarray(photograph).save(stream, "JPEG", quality=quality)
        file = Encoded(stream.getvalue(), "a.jpg")
        for side in (32, 64, 96):
            model = Preprocess(height=side, width=side, resize=round(side * 8 / 7), interpolation=interpolation)
            assert np.abs(model(file).astype(int) - model(file.pixels())).mean() < 2
            crop = augment_transform(preset_steps("light", side, side), model)
            trained += [off(crop(file, SampleIndex(i)), crop(file.pixels(), SampleIndex(i))) for i in range(4)]
    assert np.mean(trained) < 4.5
    assert max(trained) < 7


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_shrunk_files_are_their_pixels_shrunk(orientation: int) -> None:
    file = Encoded(jpeg(451, 603, orientation), "a.jpg")
    whole = file.pixels()
    short = min(whole.shape[:2])
    wanted = area_resized(whole, *(round(length * 60 / short) for length in whole.shape[:2]))
    assert np.abs(Shrunk(60)(file).astype(int) - wanted).mean() < 2


@pytest.mark.parametrize("options", [{"progressive": True}, {"subsampling": 0}], ids=str)
def test_every_kind_of_jpeg(options: dict[str, Any]) -> None:
    file = Encoded(jpeg(451, 603, **options), "a.jpg")
    transform = augment_transform(FLAT, MODEL)
    assert all(off(transform(file, SampleIndex(i)), transform(file.pixels(), SampleIndex(i))) < 3 for i in range(5))


def test_crops_no_larger_than_the_model_lose_nothing() -> None:
    file = Encoded(jpeg(90, 110), "a.jpg")
    transform = augment_transform(TURNED, MODEL)
    for i in range(5):
        assert np.array_equal(transform(file, SampleIndex(i)), transform(file.pixels(), SampleIndex(i)))
    assert np.array_equal(MODEL(file), MODEL(file.pixels()))


def test_formats_that_have_no_smaller_form() -> None:
    stream = io.BytesIO()
    Image.fromarray(photograph(451, 603)).save(stream, "PNG")
    file = Encoded(stream.getvalue(), "a.png")
    for transform in (
        augment_transform(TURNED, MODEL),
        augment_transform(preset_steps("strong", 48, 56), MODEL),
        MODEL,
    ):
        assert np.array_equal(transform(file, SampleIndex(4)), transform(file.pixels(), SampleIndex(4)))


def test_a_truncated_file_is_told_though_only_a_part_is_wanted() -> None:
    data = jpeg(451, 603)
    for kept in (len(data) // 3, len(data) - 2):
        with pytest.raises(ImageError, match=r"a\.jpg.*truncated"):
            augment_transform(FLAT, MODEL)(Encoded(data[:kept], "a.jpg"), 0)


def test_a_transform_of_ones_own_is_given_pixels(tmp_path: Any) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(90, 110))

    def corner(image: np.ndarray, _index: int) -> np.ndarray:
        return image[:5, :7]

    assert FileDataset([tmp_path / "a.jpg"], None, corner)[0][0].shape == (5, 7, 3)
