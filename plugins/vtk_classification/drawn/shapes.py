"""Ten kinds of small colour pictures, told apart by shape or texture: a stand-in of CIFAR-10's form."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from toolkit.system import cv2
from vtk_classification.drawn.brush import Brush, Colour, Points, ellipse, smooth
from vtk_classification.drawn.scenery import colour

__all__ = ["SHAPES", "draw_shape"]

Pixels = npt.NDArray[np.uint8]
Rng = np.random.Generator

_SIDE, _FINE = 32, 3


def draw_shape(kind: str, rng: Rng) -> Pixels:
    """One picture, RGB uint8, 32 × 32: its kind decides the form, ``rng`` place, size, turn, colours and grain."""
    side = _SIDE * _FINE
    back, front = colour(rng, (0.1, 0.8), (0.2, 1.0)), colour(rng, (0.1, 0.8), (0.2, 1.0))
    if sum(abs(a - b) for a, b in zip(back, front, strict=True)) < 150:
        front = (255 - back[0], (back[1] + 128) % 256, 255 - back[2])
    corners = np.array([[back, colour(rng, (0.1, 0.8), (0.2, 1.0))], [back, back]], np.uint8)
    canvas = cv2.resize(corners, (side, side), interpolation=cv2.INTER_LINEAR)
    turn, unit = rng.uniform(-np.pi, np.pi), side * rng.uniform(0.22, 0.36)
    c, s = unit * np.cos(turn), unit * np.sin(turn)
    x, y = rng.uniform(0.38, 0.62, 2) * side
    SHAPES[kind](Brush(canvas, np.array([[c, -s, x], [s, c, y]]), front, 0.2), front)
    small = cv2.resize(canvas, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.int16)
    grain = rng.normal(0, rng.uniform(2, 14), small.shape)
    drawn: Pixels = np.clip(small + np.rint(grain), 0, 255).astype(np.uint8)
    return drawn


def _filled(points: Points) -> Callable[[Brush, Colour], None]:
    return lambda brush, paint: brush.shape(points, paint, outlined=False)


def _polygon(corners: int, inner: float = 1.0) -> Points:
    count = corners if inner == 1.0 else 2 * corners
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    radius = np.where(np.arange(count) % 2 == 0, 1.0, inner)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _cross() -> Points:
    arm = [(-0.28, -1), (0.28, -1), (0.28, -0.28), (1, -0.28), (1, 0.28), (0.28, 0.28)]
    return np.array(arm + [(-x, -y) for x, y in arm], dtype=np.float64)


def _ring(brush: Brush, paint: Colour) -> None:
    brush.stroke(np.concatenate([ellipse(0, 0, 0.85, 0.85), [[0.85, 0.0]]]), paint, 0.35)


def _spiral(brush: Brush, paint: Colour) -> None:
    angle = np.linspace(0.5, 4.5 * np.pi, 80)
    brush.stroke(np.stack([np.cos(angle), np.sin(angle)], axis=1) * (angle / angle[-1])[:, None], paint, 0.22)


def _stripes(brush: Brush, paint: Colour) -> None:
    lines = np.linspace(-3.5, 3.5, 10)[:, None, None]
    brush.scatter(np.array([[-5.0, -0.18], [5.0, -0.18], [5.0, 0.18], [-5.0, 0.18]]) + lines * [0.0, 1.0], paint)


def _checks(brush: Brush, paint: Colour) -> None:
    places = np.array([(column + row % 2, row) for row in range(-5, 5) for column in range(-6, 5, 2)])
    brush.scatter(0.7 * (np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) + places[:, None, :]), paint)


def _dots(brush: Brush, paint: Colour) -> None:
    places = np.stack(np.meshgrid(np.arange(-3.6, 3.7, 0.9), np.arange(-3.6, 3.7, 0.9)), axis=-1).reshape(-1, 1, 2)
    brush.scatter(ellipse(0, 0, 0.27, 0.27, count=10) + places, paint)


SHAPES: dict[str, Callable[[Brush, Colour], None]] = {
    "ring": _ring,
    "triangle": _filled(_polygon(3)),
    "square": _filled(_polygon(4)),
    "star": _filled(_polygon(5, 0.42)),
    "cross": _filled(_cross()),
    "crescent": _filled(smooth([(0.4, -0.9), (-0.5, -0.7), (-0.85, 0), (-0.5, 0.7), (0.4, 0.9), (-0.15, 0)])),
    "spiral": _spiral,
    "stripes": _stripes,
    "checks": _checks,
    "dots": _dots,
}
