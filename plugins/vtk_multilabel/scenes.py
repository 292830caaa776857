"""Scenes composed of real digit scans: multi-label data that need no download."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["MOST_DIGITS", "Scenes", "compose", "draw_scene"]

Pixels = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]

MOST_DIGITS = 4
# Enlargement of a scan, as a share of the scene's side.
_SMALLEST, _LARGEST = 0.3, 0.5
# How much of a digit's square another one may cover, and how often a free place is looked for.
_OVERLAP, _TRIES = 0.35, 30


@dataclass(frozen=True)
class Scenes:
    """Scenes and their labels.

    Args:
        images: uint8, shape (n, size, size), bright ink on black.
        labels: multi-hot, int64, shape (n, 10).
    """

    images: Pixels
    labels: Labels


def compose(scans: Pixels, digits: Labels, *, count: int, size: int, seed: int) -> Scenes:
    """``count`` scenes, scene i a function of (scans, size, seed, i) alone.

    Args:
        scans: uint8, shape (m, h, w): the only scans that are used, so that parts of the data can be kept apart.
        digits: which digit each scan shows, 0 to 9, shape (m,).
        size: side of the scenes in pixels.
    """
    images = np.empty((count, size, size), np.uint8)
    labels = np.zeros((count, 10), np.int64)
    for i in range(count):
        images[i], chosen = draw_scene(scans, size, np.random.default_rng([seed, i]))
        labels[i, digits[chosen]] = 1
    return Scenes(images, labels)


def draw_scene(scans: Pixels, size: int, rng: np.random.Generator) -> tuple[Pixels, Labels]:
    """One scene of 1 to 4 scans, each enlarged by itself and placed anywhere; the brighter ink wins in overlaps.

    Returns:
        The scene, uint8 (size, size), and the positions in ``scans`` of what is in it.
    """
    chosen = rng.integers(len(scans), size=int(rng.integers(1, MOST_DIGITS + 1)))
    scene = np.zeros((size, size), np.uint8)
    taken: list[tuple[int, int, int]] = []
    for scan in scans[chosen]:
        side = int(rng.integers(round(_SMALLEST * size), round(_LARGEST * size) + 1))
        top, left = _place(rng, taken, side, size)
        taken.append((top, left, side))
        region = scene[top : top + side, left : left + side]
        np.maximum(region, cv2.resize(scan, (side, side), interpolation=cv2.INTER_LINEAR), out=region)
    return scene, chosen


def _place(rng: np.random.Generator, taken: list[tuple[int, int, int]], side: int, size: int) -> tuple[int, int]:
    """A corner where the others are covered no more than allowed, or else the best of those tried."""
    corners = rng.integers(size - side + 1, size=(_TRIES, 2)).tolist()
    best, least = (0, 0), 2.0
    for top, left in corners:
        worst = max((_covered(other, top, left, side) for other in taken), default=0.0)
        if worst < least:
            best, least = (top, left), worst
        if worst <= _OVERLAP:
            break
    return best


def _covered(other: tuple[int, int, int], top: int, left: int, side: int) -> float:
    """The overlap of two squares as a share of the smaller."""
    other_top, other_left, other_side = other
    tall = min(top + side, other_top + other_side) - max(top, other_top)
    wide = min(left + side, other_left + other_side) - max(left, other_left)
    return max(tall, 0) * max(wide, 0) / min(side, other_side) ** 2
