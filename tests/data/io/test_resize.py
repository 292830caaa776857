"""Pictures at another size against other libraries' antialiasing, also where one side shrinks and the other grows."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from toolkit.data.io.resize import area_resized
from toolkit.data.preprocess import Preprocess
from toolkit.data.splits.fingerprints.hashes import look


def stripes(height: int, width: int) -> np.ndarray:
    """Upright stripes of two pixels: seen from afar they are grey."""
    row = (np.arange(width) // 2 % 2 * 255).astype(np.uint8)
    return np.tile(row[None, :, None], (height, 1, 3))


def smooth(height: int, width: int) -> np.ndarray:
    coarse = np.random.default_rng(height * 10_000 + width).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


@settings(max_examples=60, deadline=None)
@given(st.integers(60, 300), st.integers(60, 300), st.integers(30, 120), st.integers(30, 120))
def test_every_size_against_torch(rows: int, columns: int, height: int, width: int) -> None:
    """torch's triangle is wider than an area, so only pictures without fine detail are the same in both."""
    image = smooth(rows, columns)
    floats = torch.from_numpy(image).permute(2, 0, 1)[None].double()
    expected = torch.nn.functional.interpolate(floats, size=(height, width), mode="bilinear", antialias=True)
    seen = area_resized(image, height, width)
    assert seen.shape == (height, width, 3)
    assert np.abs(seen - expected[0].permute(1, 2, 0).numpy()).mean() < 3


@pytest.mark.parametrize("interpolation", ["area", "bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("high", [20, 200, 224, 400])
@pytest.mark.parametrize("turned", [False, True])
def test_fine_detail_along_a_side_that_shrinks_averages_out(interpolation: str, high: int, turned: bool) -> None:
    picture = stripes(high, 2000)
    if turned:
        picture = np.ascontiguousarray(picture.swapaxes(0, 1))
    seen = Preprocess(resize=None, interpolation=interpolation)(picture).astype(float)
    assert seen.std() < 15
    assert abs(seen.mean() - 127.5) < 2


def test_a_long_low_picture_looks_grey_to_the_search_for_copies() -> None:
    assert look(stripes(8, 2000)).thumbnail.astype(float).std() < 15
    assert look(stripes(8, 2000)).flat


def test_grey_and_masks_keep_their_shape() -> None:
    grey = smooth(40, 90)[..., :1]
    assert area_resized(grey, 60, 30).shape == (60, 30, 1)
    assert area_resized(grey[..., 0], 60, 30).shape == (60, 30)
    wanted = np.asarray(Image.fromarray(grey[..., 0]).resize((30, 60), Image.Resampling.BILINEAR))
    assert np.abs(area_resized(grey[..., 0], 60, 30).astype(int) - wanted).mean() < 3
