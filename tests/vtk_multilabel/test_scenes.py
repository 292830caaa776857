"""Digit scenes: what they show is what their labels say, and nothing leaks between parts."""

from __future__ import annotations

import numpy as np
import pytest

from vtk_multilabel.scenes import MOST_DIGITS, compose, draw_scene


@pytest.fixture(scope="module")
def scans():
    """Scan i is full ink of brightness 10 + i all over, so that a scene tells which scans are in it."""
    return np.stack([np.full((8, 8), 10 + i, np.uint8) for i in range(40)]), np.arange(40) % 10


def test_labels_are_the_digits_that_the_scene_shows(scans):
    images, digits = scans
    scenes = compose(images, digits, count=200, size=40, seed=0)
    for image, labels in zip(scenes.images, scenes.labels, strict=True):
        shown = {int(digits[value - 10]) for value in np.unique(image) if value >= 10}
        assert shown <= set(np.flatnonzero(labels).tolist())
        assert 1 <= labels.sum() <= MOST_DIGITS
    assert scenes.images.shape == (200, 40, 40)
    assert scenes.labels.shape == (200, 10)
    assert set(scenes.labels.sum(axis=1).tolist()) == {1, 2, 3, 4}


def test_digits_are_scaled_placed_anywhere_and_overlap_without_hiding_one_another(scans):
    images, _ = scans
    sides, corners, hidden = [], [], []
    for seed in range(300):
        scene, chosen = draw_scene(images, 40, np.random.default_rng(seed))
        brightest = images[chosen.max()][0, 0]
        rows, columns = np.nonzero(scene == brightest)
        sides.append(rows.max() - rows.min() + 1)
        corners.append((rows.min(), columns.min()))
        hidden += [1 - (scene == images[scan][0, 0]).sum() / 12**2 for scan in set(chosen.tolist())]
    assert min(sides) == 12
    assert max(sides) <= 20 + 20
    assert np.ptp([c[0] for c in corners]) > 20
    assert max(hidden) < 0.8
    assert np.mean(np.array(hidden) > 0.1) > 0.05


def test_a_scene_depends_on_seed_and_place_alone(scans):
    images, digits = scans
    few = compose(images, digits, count=5, size=32, seed=3)
    many = compose(images, digits, count=9, size=32, seed=3)
    other = compose(images, digits, count=5, size=32, seed=4)
    np.testing.assert_array_equal(few.images, many.images[:5])
    np.testing.assert_array_equal(few.labels, many.labels[:5])
    assert (few.images != other.images).any()
