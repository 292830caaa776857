"""Whole-batch augmentation of small pictures, against albumentations' own arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from toolkit.data.augment.augment import build_transform, preset_steps
from toolkit.data.augment.batch_augment import ArrayAugment, Flip, Shift, Turn, vectorised
from toolkit.data.augment.rng import uniforms
from toolkit.types.data import IndexBatch


def images(count: int = 200, channels: int = 3, side: int = 16) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, channels), dtype=np.uint8)


def batch(count: int = 200, epoch: int = 0, seed: int = 0) -> IndexBatch:
    return IndexBatch(np.arange(count), seed=seed, epoch=epoch)


@pytest.mark.parametrize("channels", [1, 3])
def test_flip(channels: int) -> None:
    before = images(channels=channels)
    after = ArrayAugment([Flip(0.5)])(before.copy(), batch())
    flipped = (after == before[:, :, ::-1]).all(axis=(1, 2, 3))
    kept = (after == before).all(axis=(1, 2, 3))
    assert (flipped ^ kept).all()
    assert flipped.mean() == pytest.approx(0.5, abs=0.12)
    assert np.array_equal(ArrayAugment([Flip(0.0)])(before.copy(), batch()), before)


@pytest.mark.parametrize("channels", [1, 3])
def test_shift_is_padding_and_cropping_anywhere(channels: int) -> None:
    before = images(channels=channels)
    after = ArrayAugment([Shift(2)])(before.copy(), batch())
    padded = np.pad(before, ((0, 0), (2, 2), (2, 2), (0, 0)))
    places = set()
    for original, moved in zip(padded, after, strict=True):
        fits = [(y, x) for y in range(5) for x in range(5) if np.array_equal(original[y : y + 16, x : x + 16], moved)]
        assert len(fits) == 1
        places.add(fits[0])
    assert len(places) == 25


@pytest.mark.parametrize("channels", [1, 3])
def test_turn_is_albumentations_rotation(channels: int) -> None:
    """The same angle gives the same pixels."""
    before = images(40, channels)
    after = ArrayAugment([Turn(-10, 10, 1.0)])(before.copy(), batch(40))
    angles = -10 + 20 * uniforms(batch(40), 2)[:, 1]
    assert angles.min() < -7
    assert angles.max() > 7
    for original, turned, angle in zip(before, after, angles, strict=True):
        step = {"name": "Rotate", "limit": [float(angle), float(angle)], "p": 1.0}
        expected = build_transform(step)(image=original)["image"].reshape(original.shape)
        assert np.array_equal(turned, expected)


def test_turn_keeps_to_its_probability() -> None:
    before = images()
    after = ArrayAugment([Turn(5, 10, 0.25)])(before.copy(), batch())
    assert (after != before).any(axis=(1, 2, 3)).mean() == pytest.approx(0.25, abs=0.1)


def test_a_samples_augmentation_does_not_depend_on_its_batch() -> None:
    augment = ArrayAugment([Flip(0.5), Shift(2), Turn(-10, 10, 0.5)])
    before = images()
    whole = augment(before.copy(), batch())
    for chosen in (np.array([7]), np.array([150, 3, 7, 7])):
        some = augment(before[chosen], IndexBatch(chosen))
        assert np.array_equal(some, whole[chosen])
    assert not np.array_equal(augment(before.copy(), batch(epoch=1)), whole)
    assert not np.array_equal(augment(before.copy(), batch(seed=1)), whole)


PAD = {"name": "Pad", "padding": 4}
CROP = {"name": "RandomCrop", "height": 32, "width": 32}


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([{"name": "HorizontalFlip"}], [Flip(0.5)]),
        ([{"name": "Rotate", "limit": 10, "p": 1.0}], [Turn(-10, 10, 1.0)]),
        ([{"name": "Rotate", "limit": [-5, 20]}], [Turn(-5, 20, 0.5)]),
        ([{"name": "HorizontalFlip", "p": 0.2}, PAD, CROP], [Flip(0.2), Shift(4)]),
        ([PAD], None),
        ([PAD, {**CROP, "height": 30}], None),
        ([{**PAD, "fill": 9}, CROP], None),
        ([{**PAD, "p": 0.5}, CROP], None),
        ([{"name": "Rotate", "border_mode": 4}], None),
        ([{"name": "HorizontalFlip"}, {"name": "Blur"}], None),
    ],
)
def test_which_steps_are_known(steps: list[dict[str, Any]], expected: list[Any] | None) -> None:
    found = vectorised(steps, 32, 32)
    assert (found and found.operations) == expected


def test_presets_for_small_pictures() -> None:
    light = vectorised(preset_steps("light", 32, 32, small=True), 32, 32)
    standard = vectorised(preset_steps("standard", 32, 32, small=True), 32, 32)
    assert light is not None
    assert standard is not None
    assert light.operations == [Shift(4)]
    assert standard.operations == [Flip(0.5), Shift(4)]
    assert vectorised(preset_steps("strong", 32, 32, small=True), 32, 32) is None


def test_turned_pictures_are_black_outside() -> None:
    white = np.full((1, 20, 20, 1), 255, np.uint8)
    turned = ArrayAugment([Turn(45, 45, 1.0)])(white, batch(1))
    assert turned[0, 0, 0, 0] == 0
    assert turned[0, 10, 10, 0] == 255
