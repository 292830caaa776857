"""The fast form of crop, mirror, rotation and jitter shows what albumentations' chain shows.

Stated tolerance, mean over pixels on smooth pictures: geometry 0.5 grey levels of 255, with brightness, contrast and
saturation 1.5. Hue is turned in YIQ instead of HSV: the same direction and angle, other saturated colours.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from typing import Any

import cv2
import numpy as np
import pytest

from toolkit.data.augment import preset_steps
from toolkit.data.fused import FusedPipeline, augment_transform, fusible
from toolkit.data.pipeline import AugmentPipeline
from toolkit.data.preprocess import Preprocess
from toolkit.data.types import SampleIndex

MODEL = Preprocess(height=96, width=112, resize=112)
CROP = {"name": "RandomResizedCrop", "size": [96, 112]}
FLIP = {"name": "HorizontalFlip"}
ROTATE = {"name": "Rotate", "limit": 10, "p": 1.0}


def jitter(**amounts: float) -> dict[str, Any]:
    return {"name": "ColorJitter", "brightness": 0, "contrast": 0, "saturation": 0, "hue": 0, "p": 1.0, **amounts}


def smooth_picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Soft blobs away from black and white, where clipping early or late makes no difference."""
    coarse = np.random.default_rng(seed).integers(60, 196, (6, 8, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def differences(steps: list[dict[str, Any]], sizes: list[tuple[int, int]], count: int = 40) -> np.ndarray:
    """Mean absolute difference of each picture and draw, a rim of two pixels left out."""
    plain, fast = AugmentPipeline(steps, MODEL), augment_transform(steps, MODEL)
    assert isinstance(fast, FusedPipeline)
    found = []
    for size in sizes:
        picture = smooth_picture(*size)
        for i in range(count):
            index = SampleIndex(i, seed=3, epoch=1)
            one, other = plain(picture, index), fast(picture, index)
            assert one.shape == other.shape
            assert one.dtype == other.dtype
            found.append(np.abs(one.astype(int) - other)[2:-2, 2:-2].mean())
    return np.array(found)


SIZES = [(150, 200), (200, 150), (60, 50), (700, 900), (90, 600)]


@pytest.mark.parametrize(
    "steps",
    [
        [CROP],
        [CROP, FLIP],
        [CROP, ROTATE],
        [CROP, FLIP, ROTATE],
        [{**CROP, "area_for_downscale": "image"}, FLIP, ROTATE],
        [
            {**CROP, "scale": [0.5, 1.0], "ratio": [1.0, 1.2]},
            {**FLIP, "p": 1.0},
            {**ROTATE, "p": 0.5, "limit": [20, 60]},
        ],
    ],
    ids=str,
)
def test_geometry(steps: list[dict[str, Any]]) -> None:
    found = differences(steps, SIZES)
    assert found.mean() < 0.5
    assert found.max() < 2.5


@pytest.mark.parametrize(
    "amounts",
    [
        {"brightness": 0.2},
        {"contrast": 0.2},
        {"saturation": 0.2},
        {"brightness": 0.2, "contrast": 0.2, "saturation": 0.2},
    ],
    ids=str,
)
def test_colour(amounts: dict[str, float]) -> None:
    found = differences([CROP, FLIP, ROTATE, jitter(**amounts)], SIZES[:2])
    assert found.mean() < 1.5
    assert found.max() < 4


def mean_hue(picture: np.ndarray) -> float:
    """The direction of the average colour about the grey axis, in radians."""
    red, green, blue = picture.reshape(-1, 3).mean(axis=0)
    return float(np.arctan2(np.sqrt(3) * (green - blue), 2 * red - green - blue))


@pytest.mark.parametrize("turn", [-0.1, -0.05, 0.05, 0.1])
def test_hue_turns_as_far_and_the_same_way(turn: float) -> None:
    steps = [CROP, {**jitter(), "hue": [turn, turn]}]
    plain, fast = AugmentPipeline(steps, MODEL), augment_transform(steps, MODEL)
    errors = []
    for red, green, blue in [(190, 110, 90), (90, 150, 100), (100, 110, 180), (170, 160, 100)]:
        picture = np.full((100, 120, 3), (red, green, blue), np.uint8)
        one, other = plain(picture, 0), fast(picture, 0)
        errors.append((mean_hue(one) - mean_hue(other) + np.pi) % (2 * np.pi) - np.pi)
        turned = (mean_hue(other) - mean_hue(picture) + np.pi) % (2 * np.pi) - np.pi
        assert np.sign(turned) == np.sign(turn)
    assert np.abs(errors).max() < np.radians(20)


def test_the_whole_standard_chain() -> None:
    found = differences(preset_steps("standard", 96, 112), SIZES[:2])
    assert found.mean() < 6


def test_contrast_is_about_the_mean_of_what_is_seen() -> None:
    steps = [CROP, {**jitter(), "contrast": [0.0, 0.0]}]
    seen = augment_transform(steps, MODEL)(smooth_picture(150, 200), 0)
    assert seen.max() - seen.min() <= 1
    expected = cv2.cvtColor(AugmentPipeline([CROP], MODEL)(smooth_picture(150, 200), 0), cv2.COLOR_RGB2GRAY).mean()
    assert abs(seen.mean() - expected) < 1


def test_rotation_shows_black_corners_never_what_lies_beyond_the_crop() -> None:
    steps = [{**CROP, "scale": [0.1, 0.2]}, {**ROTATE, "limit": [45, 45]}]
    for i in range(10):
        seen = augment_transform(steps, MODEL)(np.full((300, 400, 3), 200, np.uint8), SampleIndex(i))
        assert [tuple(seen[y, x]) for y in (0, -1) for x in (0, -1)] == [(0, 0, 0)] * 4
        assert tuple(seen[48, 56]) == (200, 200, 200)


def test_every_pixel_of_a_large_crop_counts() -> None:
    """A fine checkerboard seen from afar is grey, not a pattern of its own."""
    fine = np.indices((960, 1120)).sum(axis=0) % 2 * 255
    picture = np.repeat(fine[..., None], 3, axis=2).astype(np.uint8)
    steps = [{**CROP, "scale": [1.0, 1.0]}, ROTATE]
    seen = augment_transform(steps, MODEL)(picture, 0)[20:-20, 20:-20]
    assert seen.std() < 20
    assert abs(seen.mean() - 127.5) < 8


def test_grey_models_and_processes() -> None:
    grey = MODEL.model_copy(update={"channels": 1})
    fast = augment_transform(preset_steps("standard", 96, 112), grey)
    picture = smooth_picture(150, 200)
    assert fast(picture, 0).shape == (96, 112, 1)
    assert np.array_equal(pickle.loads(pickle.dumps(fast))(picture, SampleIndex(3)), fast(picture, SampleIndex(3)))


@pytest.mark.parametrize(
    "steps",
    [
        [FLIP, CROP],
        [FLIP],
        [CROP, FLIP, FLIP],
        [CROP, {"name": "VerticalFlip"}],
        [CROP, jitter(), ROTATE],
        [CROP, {**ROTATE, "border_mode": 2}],
        [{**CROP, "interpolation": 2}, FLIP],
        [{**CROP, "size": [64, 64]}, FLIP],
        [{**CROP, "p": 0.5}],
        preset_steps("strong", 96, 112),
    ],
    ids=str,
)
def test_other_chains_are_left_to_albumentations(steps: list[dict[str, Any]]) -> None:
    assert fusible(steps, 96, 112) is None
    assert isinstance(augment_transform(steps, MODEL), AugmentPipeline)


def test_the_presets_for_photographs_need_no_albumentations() -> None:
    """It takes seconds to import."""
    code = (
        "import sys, numpy as np\n"
        "from toolkit.data.fused import augment_transform\n"
        "from toolkit.data.augment import preset_steps\n"
        "from toolkit.data.preprocess import Preprocess\n"
        "for preset in ('light', 'standard'):\n"
        "    augment_transform(preset_steps(preset, 224, 224), Preprocess())(np.zeros((300, 400, 3), np.uint8), 0)\n"
        "assert 'albumentations' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ))
