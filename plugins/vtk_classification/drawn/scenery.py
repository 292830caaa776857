"""What a creature sits in: rooms, meadows, nights and plain paper, with things lying about."""

from __future__ import annotations

from collections.abc import Callable
from colorsys import hsv_to_rgb

import numpy as np
import numpy.typing as npt

from toolkit.system import cv2
from vtk_classification.drawn.brush import Brush, Colour, Points, ellipse, mixed, smooth

__all__ = ["clutter", "colour", "scene"]

Pixels = npt.NDArray[np.uint8]
Rng = np.random.Generator


Range = tuple[float, float]


def colour(rng: Rng, saturation: Range, value: Range, hue: Range = (0.0, 1.0)) -> Colour:
    """A colour with saturation, value and hue from their ranges in [0, 1]."""
    red, green, blue = hsv_to_rgb(rng.uniform(*hue), rng.uniform(*saturation), rng.uniform(*value))
    return round(255 * red), round(255 * green), round(255 * blue)


def scene(rng: Rng, height: int, width: int) -> tuple[Pixels, float]:
    """A background, and the height (in pixels from the top) of the ground that things stand on."""
    ground = height * rng.uniform(0.68, 0.86)
    kind = rng.choice(4, p=[0.38, 0.3, 0.2, 0.12])
    canvas = (_room, _meadow, _paper, _night)[kind](rng, height, width, int(ground))
    return _textured(rng, canvas), ground


def _room(rng: Rng, height: int, width: int, ground: int) -> Pixels:
    wall = colour(rng, (0.1, 0.5), (0.55, 0.97))
    floor = colour(rng, (0.25, 0.55), (0.4, 0.85), (0.02, 0.14) if rng.random() < 0.6 else (0.0, 1.0))
    canvas = _gradient(height, width, wall, mixed(wall, (0, 0, 0), rng.uniform(0, 0.25)))
    _wallpaper(rng, canvas[:ground], mixed(wall, (255, 255, 255), rng.uniform(0.15, 0.45)))
    canvas[ground:] = floor
    for x in np.arange(rng.uniform(0, 60), width, width / rng.integers(5, 12)):
        slant = (x - width / 2) * 0.6
        ends = ((int(x), ground), (int(x + slant), height))
        cv2.line(canvas, *ends, mixed(floor, (0, 0, 0), 0.18), 2, cv2.LINE_AA)
    skirting = max(3, height // 40)
    canvas[ground - skirting : ground] = mixed(wall, (255, 255, 255), 0.6)
    return canvas


def _wallpaper(rng: Rng, wall: Pixels, light: Colour) -> None:
    height, width = wall.shape[:2]
    step = int(max(16, min(height, width) * rng.uniform(0.07, 0.2)))
    kind = rng.integers(4)
    if kind == 0:
        for x in range(0, width, step):
            wall[:, x : x + step // 3] = light
    elif kind == 1:
        for row, y in enumerate(range(step // 2, height, step)):
            for x in range((row % 2) * step // 2, width, step):
                cv2.circle(wall, (x, y), max(2, step // 7), light, -1, cv2.LINE_AA)
    elif kind == 2:
        for x in range(-height, width, step):
            cv2.line(wall, (x, 0), (x + height, height), light, max(2, step // 6), cv2.LINE_AA)


def _meadow(rng: Rng, height: int, width: int, ground: int) -> Pixels:
    sky = colour(rng, (0.15, 0.5), (0.75, 1.0), (0.48, 0.66) if rng.random() < 0.6 else (0.0, 1.0))
    canvas = _gradient(height, width, sky, mixed(sky, (255, 255, 255), 0.6))
    brush = Brush(canvas, _pixels(), (0, 0, 0), 1)
    for _ in range(rng.integers(0, 4)):
        x, y, size = rng.uniform(0, width), rng.uniform(0, ground * 0.5), min(height, width) * rng.uniform(0.05, 0.12)
        for dx in (-1.0, 0.0, 1.0):
            brush.shape(
                ellipse(x + dx * size, y - (dx == 0) * size * 0.4, size, size * 0.7), (250, 250, 250), outlined=False
            )
    grass = colour(rng, (0.3, 0.65), (0.5, 0.85), (0.18, 0.4) if rng.random() < 0.6 else (0.0, 1.0))
    for layer in range(3):
        base = ground - (2 - layer) * height * 0.09
        xs = np.linspace(-0.1 * width, 1.1 * width, 7)
        knots = [(float(x), base + rng.uniform(-0.05, 0.05) * height) for x in xs]
        hill = np.concatenate([smooth(knots, closed=False), [[1.1 * width, height], [-0.1 * width, height]]])
        brush.shape(hill, mixed(grass, sky, 0.5 - 0.25 * layer), outlined=False)
    for _ in range(rng.integers(10, 40)):
        x, y, size = rng.uniform(0, width), rng.uniform(ground, height), height * rng.uniform(0.02, 0.06)
        tuft = [(x - size * 0.4, y - size), (x, y), (x + size * 0.3, y - size * 1.1)]
        brush.stroke(np.array(tuft), mixed(grass, (0, 0, 0), 0.25), max(1.0, height / 200))
    return canvas


def _paper(rng: Rng, height: int, width: int, ground: int) -> Pixels:
    top, bottom = colour(rng, (0.05, 0.6), (0.5, 1.0)), colour(rng, (0.05, 0.6), (0.4, 1.0))
    canvas = _gradient(height, width, top, bottom)
    brush = Brush(canvas, _pixels(), (0, 0, 0), 1)
    for _ in range(rng.integers(2, 7)):
        size = min(height, width) * rng.uniform(0.1, 0.4)
        blot = ellipse(
            rng.uniform(0, width), rng.uniform(0, height), size, size * rng.uniform(0.5, 1), rng.uniform(0, 3)
        )
        brush.shape(blot, mixed(top, colour(rng, (0.1, 0.6), (0.4, 1.0)), 0.35), outlined=False)
    return canvas


def _night(rng: Rng, height: int, width: int, ground: int) -> Pixels:
    sky = colour(rng, (0.4, 0.7), (0.15, 0.4))
    canvas = _gradient(height, width, mixed(sky, (0, 0, 0), 0.4), mixed(sky, (255, 255, 255), 0.2))
    for x, y, size in zip(
        rng.integers(0, width, 40), rng.integers(0, ground, 40), rng.integers(1, 3 + height // 300, 40), strict=True
    ):
        cv2.circle(canvas, (int(x), int(y)), int(size), (255, 250, 220), -1, cv2.LINE_AA)
    moon = (int(rng.uniform(0.1, 0.9) * width), int(rng.uniform(0.08, 0.3) * height))
    cv2.circle(canvas, moon, int(min(height, width) * rng.uniform(0.05, 0.1)), (250, 245, 215), -1, cv2.LINE_AA)
    canvas[ground:] = mixed(sky, (20, 30, 40), 0.5)
    return canvas


def clutter(rng: Rng, canvas: Pixels, ground: float, count: int, *, aloft: float = 0.3) -> None:
    """Things that tell nothing about the creature: balls, boxes, plants, pictures, cushions, bones and fish.

    Each stands below ``ground`` or, with probability ``aloft``, hangs somewhere above it.
    """
    height, width = canvas.shape[:2]
    for _ in range(count):
        size = min(height, width) * rng.uniform(0.06, 0.16)
        x = rng.uniform(0, width)
        y = rng.uniform(ground, height * 0.98) if rng.random() >= aloft else rng.uniform(0.05, 0.6) * ground
        turn = rng.uniform(-0.5, 0.5)
        c, s = size * np.cos(turn), size * np.sin(turn)
        paint = colour(rng, (0.2, 0.8), (0.35, 0.95))
        brush = Brush(canvas, np.array([[c, -s, x], [s, c, y]]), mixed(paint, (0, 0, 0), 0.55), 0.07)
        _THINGS[rng.integers(len(_THINGS))](rng, brush, paint)


def _ball(rng: Rng, brush: Brush, paint: Colour) -> None:
    brush.shape(ellipse(0, 0, 0.8, 0.8), paint)
    brush.stroke(smooth([(-0.75, -0.2), (0, 0.15), (0.75, -0.2)], closed=False))
    brush.shape(ellipse(-0.3, -0.4, 0.16, 0.1), mixed(paint, (255, 255, 255), 0.7), outlined=False)


def _box(rng: Rng, brush: Brush, paint: Colour) -> None:
    brush.shape(np.array([[-1, -0.6], [0.6, -0.6], [0.6, 0.7], [-1, 0.7]]), paint)
    brush.shape(np.array([[0.6, -0.6], [1.1, -0.9], [1.1, 0.4], [0.6, 0.7]]), mixed(paint, (0, 0, 0), 0.25))
    brush.shape(np.array([[-1, -0.6], [-0.5, -0.9], [1.1, -0.9], [0.6, -0.6]]), mixed(paint, (255, 255, 255), 0.3))


def _plant(rng: Rng, brush: Brush, paint: Colour) -> None:
    leaf = colour(rng, (0.3, 0.6), (0.35, 0.7))
    for turn in rng.uniform(-1.0, 1.0, rng.integers(3, 7)):
        tip = (1.7 * np.sin(turn), -1.7 * np.cos(turn))
        brush.shape(ellipse(tip[0] / 2, tip[1] / 2, 0.2, 0.85, turn, 24), leaf)
    brush.shape(np.array([[-0.5, -0.1], [0.5, -0.1], [0.35, 0.8], [-0.35, 0.8]]), paint)


def _picture(rng: Rng, brush: Brush, paint: Colour) -> None:
    brush.shape(np.array([[-0.9, -0.7], [0.9, -0.7], [0.9, 0.7], [-0.9, 0.7]]), paint)
    brush.shape(np.array([[-0.7, -0.5], [0.7, -0.5], [0.7, 0.5], [-0.7, 0.5]]), mixed(paint, (255, 255, 255), 0.6))
    brush.shape(ellipse(rng.uniform(-0.3, 0.3), 0.1, 0.25, 0.25), colour(rng, (0.3, 0.8), (0.4, 0.9)), outlined=False)


def _cushion(rng: Rng, brush: Brush, paint: Colour) -> None:
    brush.shape(
        smooth([(-1.2, -0.5), (0, -0.35), (1.2, -0.5), (1.05, 0), (1.2, 0.5), (0, 0.4), (-1.2, 0.5), (-1.05, 0)]), paint
    )


def _bone(rng: Rng, brush: Brush, paint: Colour) -> None:
    knots = [(-1, -0.3), (-0.7, -0.15), (0.7, -0.15), (1, -0.35), (1.15, 0), (1, 0.35), (0.7, 0.15), (-0.7, 0.15)]
    brush.shape(smooth([*knots, (-1, 0.3), (-1.15, 0)]), mixed(paint, (255, 255, 255), 0.7))


def _fish(rng: Rng, brush: Brush, paint: Colour) -> None:
    brush.shape(np.array([[0.7, 0], [1.3, -0.45], [1.15, 0], [1.3, 0.45]]), paint)
    brush.shape(ellipse(0, 0, 0.9, 0.42), mixed(paint, (255, 255, 255), 0.25))
    brush.shape(ellipse(-0.5, -0.08, 0.09, 0.09), (25, 25, 25), outlined=False)


_THINGS: tuple[Callable[[Rng, Brush, Colour], None], ...] = (_ball, _box, _plant, _picture, _cushion, _bone, _fish)


def _gradient(height: int, width: int, top: Colour, bottom: Colour) -> Pixels:
    column = np.rint(np.linspace(top, bottom, height)).astype(np.uint8)[:, None, :]
    spread: Pixels = cv2.resize(column, (width, height), interpolation=cv2.INTER_NEAREST)
    return spread


def _textured(rng: Rng, canvas: Pixels) -> Pixels:
    """Soft mottling, as of paper or plaster."""
    height, width = canvas.shape[:2]
    cells = rng.integers(4, 40)
    rough = rng.normal(128, rng.uniform(1, 8), (cells, cells)).clip(0, 255).astype(np.uint8)
    mottle = cv2.cvtColor(cv2.resize(rough, (width, height), interpolation=cv2.INTER_LINEAR), cv2.COLOR_GRAY2RGB)
    mixed_in: Pixels = cv2.addWeighted(canvas, 1.0, mottle, 1.0, -128)
    return mixed_in


def _pixels() -> Points:
    return np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
