"""The fast form of crop, mirror, rotation and jitter shows what albumentations' chain shows.

To the bit, but for crops that shrink with ``area_for_downscale``: there within 4 grey levels of 255 on photographs, in
the mean over a picture, and within 2.5 over many.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_sample_images

from toolkit.data.augment.albumentations_pipeline import AugmentPipeline
from toolkit.data.augment.augment import preset_steps
from toolkit.data.augment.fused_affine import FusedPipeline, augment_transform, fusible
from toolkit.data.preprocess import Preprocess
from toolkit.types.data import SampleIndex

MODEL = Preprocess(height=96, width=112, resize=112)
CROP = {"name": "RandomResizedCrop", "size": [96, 112]}
FLIP = {"name": "HorizontalFlip"}
ROTATE = {"name": "Rotate", "limit": 10, "p": 1.0}


def jitter(**amounts: float) -> dict[str, Any]:
    return {"name": "ColorJitter", "brightness": 0, "contrast": 0, "saturation": 0, "hue": 0, "p": 1.0, **amounts}


def smooth_picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@cache
def photographs() -> list[np.ndarray]:
    return [np.ascontiguousarray(image) for image in load_sample_images().images]


def pair(steps: list[dict[str, Any]]) -> tuple[AugmentPipeline, FusedPipeline]:
    plain, fast = AugmentPipeline(steps, MODEL), augment_transform(steps, MODEL)
    assert isinstance(fast, FusedPipeline)
    return plain, fast


def ranges(low: float, high: float) -> st.SearchStrategy[list[float]]:
    return st.tuples(st.floats(low, high), st.floats(low, high)).map(sorted)


CHANCE = st.sampled_from([0.0, 0.5, 1.0])
AMOUNT = ranges(0, 2) | st.floats(0, 1)
CROPS = st.fixed_dictionaries(
    {"name": st.just("RandomResizedCrop"), "size": st.just([96, 112])},
    optional={"scale": ranges(0.05, 1), "ratio": ranges(0.6, 1.6)},
)
FLIPS = st.fixed_dictionaries({"name": st.just("HorizontalFlip")}, optional={"p": CHANCE})
TURNS = st.fixed_dictionaries(
    {"name": st.just("Rotate")}, optional={"p": CHANCE, "limit": ranges(-180, 180) | st.integers(0, 90)}
)
JITTERS = st.fixed_dictionaries(
    {"name": st.just("ColorJitter")},
    optional={
        "p": CHANCE,
        "brightness": AMOUNT,
        "contrast": AMOUNT,
        "saturation": AMOUNT,
        "hue": ranges(-0.5, 0.5) | st.floats(0, 0.5),
    },
)


@settings(max_examples=80, deadline=None)
@given(st.data(), st.integers(40, 400), st.integers(40, 400), st.integers(0, 10_000))
def test_any_chain_is_albumentations_own_to_the_bit(data: Any, height: int, width: int, index: int) -> None:
    steps = [data.draw(CROPS)] + [data.draw(kind) for kind in (FLIPS, TURNS, JITTERS) if data.draw(st.booleans())]
    plain, fast = pair(steps)
    picture = noise(height, width, index) if index % 2 else smooth_picture(height, width, index)
    drawn = SampleIndex(index, seed=3, epoch=1)
    assert np.array_equal(plain(picture, drawn), fast(picture, drawn))


@pytest.mark.parametrize("preset", ["light", "standard"])
def test_one_more_step_in_the_list_changes_no_other(preset: Any) -> None:
    """A step that does nothing sends the recipe's list to albumentations."""
    steps = preset_steps(preset, 96, 112)
    steps[0].pop("area_for_downscale")
    plain = augment_transform([*steps, {"name": "NoOp"}], MODEL)
    assert isinstance(plain, AugmentPipeline)
    for i in range(10):
        assert np.array_equal(plain(photographs()[i % 2], i), augment_transform(steps, MODEL)(photographs()[i % 2], i))


@pytest.mark.parametrize("preset", ["light", "standard"])
@pytest.mark.parametrize("scale", [1.0, 0.5, 0.3])
def test_averaged_crops_of_photographs(preset: Any, scale: float) -> None:
    plain, fast = pair(preset_steps(preset, 96, 112))
    found = []
    for photograph in photographs():
        picture = cv2.resize(photograph, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        for i in range(15):
            one, other = plain(picture, SampleIndex(i)).astype(int), fast(picture, SampleIndex(i))
            found.append(np.abs(one - other).mean())
    assert np.mean(found) < 2.5
    assert max(found) < 4


def test_averaged_crops_that_grow_are_equal_to_the_bit() -> None:
    plain, fast = pair(preset_steps("standard", 96, 112))
    for i in range(10):
        picture = noise(96, 112, i)
        assert np.array_equal(plain(picture, i), fast(picture, i))


def test_the_colours_of_hue() -> None:
    """Orange turned by a tenth of the circle is yellow, as bright as before."""
    steps = [CROP, {**jitter(), "hue": [0.1, 0.1]}]
    seen = pair(steps)[1](np.full((96, 112, 3), (230, 120, 60), np.uint8), 0)
    assert np.abs(seen[48, 56].astype(int) - (230, 222, 60)).max() <= 3


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
    steps = [{**CROP, "scale": [1.0, 1.0], "area_for_downscale": "image"}, ROTATE]
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
        [{**CROP, "ratio": [0.2, 5.0]}],
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
        "from toolkit.data.augment.fused_affine import augment_transform\n"
        "from toolkit.data.augment.augment import preset_steps\n"
        "from toolkit.data.preprocess import Preprocess\n"
        "for preset in ('light', 'standard'):\n"
        "    augment_transform(preset_steps(preset, 224, 224), Preprocess())(np.zeros((300, 400, 3), np.uint8), 0)\n"
        "assert 'albumentations' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ))
