"""Antialiased drawing in a creature's own coordinates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from toolkit.system import cv2

__all__ = ["Brush", "Colour", "Points", "ellipse", "mirrored", "mixed", "smooth"]

Points = npt.NDArray[np.float64]
Colour = tuple[int, int, int]
_SUBPIXEL_BITS = 4


class Brush:
    """Draws on RGB pixels through an affine map.

    Args:
        canvas: uint8, shape (h, w, 3); drawn on in place.
        matrix: shape (2, 3), from drawing units to pixels.
        ink: colour of outlines.
        line: width of outlines, in drawing units.
    """

    def __init__(self, canvas: npt.NDArray[np.uint8], matrix: Points, ink: Colour, line: float) -> None:
        self.canvas = canvas
        self.matrix = matrix
        self.ink = ink
        self.line = line
        self.scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))

    def shape(self, points: Points, fill: Colour, *, outlined: bool = True) -> None:
        """A filled closed curve."""
        pixels = self._pixels(points)
        cv2.fillPoly(self.canvas, [pixels], fill, cv2.LINE_AA, _SUBPIXEL_BITS)
        if outlined:
            self._lines(pixels, True, self.ink, self.line)

    def scatter(self, points: Points, fill: Colour) -> None:
        """Many filled curves of one colour, shape (curves, points, 2)."""
        pixels = self._pixels(points.reshape(-1, 2)).reshape(points.shape)
        cv2.fillPoly(self.canvas, list(pixels), fill, cv2.LINE_AA, _SUBPIXEL_BITS)

    def stroke(self, points: Points, colour: Colour | None = None, width: float | None = None) -> None:
        """An open line."""
        self._lines(self._pixels(points), False, colour or self.ink, width or self.line)

    def inside(self, region: Points, marks: Sequence[tuple[Points, Colour]]) -> None:
        """Filled curves, seen only where they lie within ``region``."""
        area = self._pixels(region) >> _SUBPIXEL_BITS
        height, width = self.canvas.shape[:2]
        (left, top), (right, bottom) = area.min(axis=0), area.max(axis=0) + 1
        left, top, right, bottom = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
        if left >= right or top >= bottom:
            return
        view = self.canvas[top:bottom, left:right]
        layer = view.copy()
        offset = np.array([left, top]) << _SUBPIXEL_BITS
        for points, colour in marks:
            cv2.fillPoly(layer, [self._pixels(points) - offset], colour, cv2.LINE_AA, _SUBPIXEL_BITS)
        mask = np.zeros(view.shape[:2], np.uint8)
        cv2.fillPoly(mask, [self._pixels(region) - offset], (255,), cv2.LINE_8, _SUBPIXEL_BITS)
        cv2.copyTo(layer, mask, view)

    def _lines(self, pixels: npt.NDArray[np.int32], closed: bool, colour: Colour, width: float) -> None:
        thickness = max(1, round(width * self.scale))
        cv2.polylines(self.canvas, [pixels], closed, colour, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)

    def _pixels(self, points: Points) -> npt.NDArray[np.int32]:
        mapped = points @ self.matrix[:, :2].T + self.matrix[:, 2]
        return np.rint(mapped * (1 << _SUBPIXEL_BITS)).astype(np.int32)


def ellipse(x: float, y: float, rx: float, ry: float, turn: float = 0.0, count: int = 40) -> Points:
    """An ellipse about (x, y), turned by ``turn`` radians."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    across, down = rx * np.cos(angle), ry * np.sin(angle)
    c, s = np.cos(turn), np.sin(turn)
    return np.stack([x + c * across - s * down, y + s * across + c * down], axis=1)


def smooth(points: Sequence[tuple[float, float]], *, closed: bool = True, steps: int = 8) -> Points:
    """A Catmull-Rom curve through the points."""
    knots = np.asarray(points, dtype=np.float64)
    if closed:
        before, start, end, after = (np.roll(knots, shift, axis=0) for shift in (1, 0, -1, -2))
    else:
        padded = np.concatenate([knots[:1], knots, knots[-1:]])
        before, start, end, after = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    before, start, end, after = (part[:, None, :] for part in (before, start, end, after))
    curve = 0.5 * (
        2 * start
        + (end - before) * t
        + (2 * before - 5 * start + 4 * end - after) * t**2
        + (3 * start - before - 3 * end + after) * t**3
    )
    flat: Points = curve.reshape(-1, 2)
    return flat if closed else np.concatenate([flat, knots[-1:]])


def mirrored(points: Points) -> Points:
    """Left for right."""
    return np.multiply(points, [-1.0, 1.0])


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    """``one`` with a share of ``other``."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue
