"""What evaluation does to a picture, against other libraries' arithmetic."""

from __future__ import annotations

import json
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from toolkit.data.preprocess import Normalize, Preprocess
from toolkit.types.data import Batch


def photograph(height: int, width: int) -> np.ndarray:
    coarse = np.random.default_rng(height * 10_000 + width).integers(0, 256, (9, 11, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize("size", [(375, 500), (640, 480), (1200, 1600), (224, 224)])
def test_the_view_is_resize_256_centre_crop_224(size: tuple[int, int]) -> None:
    """Against torchvision's own validation transform, which resizes before it crops."""
    from torchvision.transforms import v2

    image = photograph(*size)
    expected = v2.Compose([v2.Resize(256), v2.CenterCrop(224)])(Image.fromarray(image))
    difference = np.abs(Preprocess()(image).astype(int) - np.asarray(expected))
    assert difference.mean() < 2


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 400),
    width=st.integers(1, 400),
    side=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    more=st.none() | st.integers(0, 20),
    grey=st.booleans(),
    channels=st.sampled_from([1, 3]),
)
def test_any_picture_comes_out_in_the_models_shape(
    height: int, width: int, side: tuple[int, int], more: int | None, grey: bool, channels: Any
) -> None:
    resize = None if more is None else max(side) + more
    preprocess = Preprocess(height=side[0], width=side[1], resize=resize, channels=channels)
    image = photograph(height, width)[..., : 1 if grey else 3]
    seen = preprocess(image)
    assert seen.shape == preprocess.shape
    assert seen.dtype == np.uint8


def test_a_panorama_never_becomes_a_wall_of_pixels() -> None:
    """Its short side of 2 pixels, brought to 256 first, would make it 2,560,000 columns wide."""
    assert Preprocess()(np.zeros((2, 20_000, 3), np.uint8)).shape == (224, 224, 3)


def test_squeezing_keeps_everything_and_cropping_the_centre() -> None:
    image = np.zeros((100, 200, 3), np.uint8)
    image[:, :40] = 255
    squeezed = Preprocess(height=50, width=50, resize=None)(image)
    assert (squeezed[:, :9] > 200).all()
    cropped = Preprocess(height=50, width=50, resize=50)(image)
    assert cropped.max() == 0


def test_grey_is_luminance_and_back() -> None:
    rgb = photograph(28, 28)
    grey = Preprocess(height=28, width=28, resize=None, channels=1)(rgb)
    expected = rgb @ np.array([0.299, 0.587, 0.114])
    assert np.abs(grey[..., 0] - expected).max() <= 1
    assert np.array_equal(Preprocess(height=28, width=28, resize=None)(grey), np.repeat(grey, 3, axis=2))


def test_the_bundle_gets_the_same_preprocessing_back() -> None:
    preprocess = Preprocess(height=28, width=32, resize=None, channels=1, mean=[0.1307], std=[0.3081])
    assert Preprocess.from_json(json.loads(json.dumps(preprocess.to_json()))) == preprocess
    normalize = preprocess.normalize()
    assert Normalize.from_json(json.loads(json.dumps(normalize.to_json()))).to_json() == normalize.to_json()


@pytest.mark.parametrize(
    "values",
    [
        {"resize": 100},
        {"mean": [0.5]},
        {"mean": [0.5, 0.5], "std": [0.5, 0.5]},
        {"std": [0.2, 0.0, 0.2]},
        {"height": 0},
    ],
)
def test_senseless_preprocessing_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Preprocess(**values)


@pytest.mark.parametrize(("channels", "means"), [(3, 3), (3, 1), (1, 1), (1, 3)])
def test_normalisation_against_float64(channels: int, means: int) -> None:
    mean, std = [0.485, 0.456, 0.406][:means], [0.229, 0.224, 0.225][:means]
    images = torch.randint(0, 256, (5, 17, 13, channels), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    targets = torch.arange(5)
    out = Normalize(mean, std)(Batch(images, targets))
    reference = images.permute(0, 3, 1, 2).double() / 255
    reference = (reference - torch.tensor(mean).view(1, -1, 1, 1)) / torch.tensor(std).view(1, -1, 1, 1)
    assert out.inputs.dtype == torch.float32
    assert out.inputs.shape == reference.shape
    assert out.inputs.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(out.inputs.double(), reference, atol=1e-6)
    assert out.targets is targets


def test_normalisation_leaves_its_input_and_normalised_batches_alone() -> None:
    images = torch.full((2, 4, 4, 3), 7, dtype=torch.uint8)
    normalize = Normalize([0.5], [0.5])
    once = normalize((images, "rest"))
    assert (images == 7).all()
    assert once[1] == "rest"
    assert normalize(once)[0] is once[0]
