"""Cats and dogs, told apart by shape: ears, muzzle, eyes and whiskers. Coats, poses and places are shared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from toolkit.system import cv2
from vtk_classification.drawn.brush import Brush, Colour, Points, ellipse, mirrored, mixed, smooth
from vtk_classification.drawn.scenery import clutter, colour, scene

__all__ = ["KINDS", "draw_creature"]

Kind = Literal["cat", "dog"]
Rng = np.random.Generator

KINDS: tuple[Kind, Kind] = ("cat", "dog")

# Pictures with a shorter side are drawn at twice their size: outlines of a pixel or two would look beaded.
_COARSE = 340

_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
_COATS: tuple[Colour, ...] = (
    (236, 232, 224),
    (58, 54, 58),
    (140, 142, 150),
    (222, 150, 82),
    (146, 98, 64),
    (238, 208, 160),
    (104, 82, 70),
    (176, 160, 142),
    (120, 132, 150),
    (200, 176, 120),
)
_PINK: Colour = (226, 142, 140)


@dataclass(frozen=True)
class Look:
    """What one creature looks like. Lengths are in head radii."""

    kind: Kind
    coat: Colour
    second: Colour
    light: Colour
    ink: Colour
    ears: Literal["pointed", "folded", "floppy"]
    ear_size: float
    long_face: float
    muzzle: float
    round_nose: bool
    nose: Colour
    iris: Colour | None
    slit: bool
    eye: float
    apart: float
    whiskers: int
    pattern: int
    bib: bool
    tongue: bool
    collar: Colour | None


def draw_creature(kind: Kind, rng: Rng) -> npt.NDArray[np.uint8]:
    """One picture, RGB uint8, 200 to 1024 pixels a side; everything in it is drawn from ``rng``."""
    height, width = _size(rng)
    fine = 2 if min(height, width) < _COARSE else 1
    height, width = height * fine, width * fine
    canvas, ground = scene(rng, height, width)
    clutter(rng, canvas, ground, int(rng.integers(1, 6)))
    look = _look(kind, rng)
    _pose(rng, look, canvas, ground)
    if rng.random() < 0.5:
        clutter(rng, canvas, height * 0.9, int(rng.integers(1, 3)), aloft=0.0)
    if fine > 1:
        canvas = cv2.resize(canvas, (width // fine, height // fine), interpolation=cv2.INTER_AREA)
    return _developed(rng, canvas)


def _size(rng: Rng) -> tuple[int, int]:
    short = int(np.exp(rng.uniform(np.log(200), np.log(680))))
    long = min(1024, round(short * rng.uniform(1.0, 1.5)))
    return (short, long) if rng.random() < 0.65 else (long, short)


def _look(kind: Kind, rng: Rng) -> Look:
    cat = kind == "cat"
    coat = mixed(_COATS[rng.integers(len(_COATS))], colour(rng, (0.1, 0.6), (0.4, 0.9)), rng.uniform(0, 0.2))
    dark = sum(coat) < 330
    second = mixed(coat, _WHITE if dark else _BLACK, rng.uniform(0.25, 0.5))
    ears = rng.choice(["pointed", "folded", "floppy"], p=[0.88, 0.12, 0.0] if cat else [0.1, 0.22, 0.68])
    vivid = rng.random() < (0.75 if cat else 0.35)
    return Look(
        kind=kind,
        coat=coat,
        second=second,
        light=mixed(coat, _WHITE, rng.uniform(0.3, 0.75)),
        ink=mixed(coat, _BLACK, 0.72),
        ears=ears,
        ear_size=rng.uniform(0.8, 1.2),
        long_face=rng.normal(0.0 if cat else 0.16, 0.05),
        muzzle=rng.uniform(0.8, 1.1) if cat else rng.uniform(1.15, 1.6),
        round_nose=rng.random() < (0.1 if cat else 0.9),
        nose=_PINK if rng.random() < 0.4 else (44, 38, 42),
        iris=colour(rng, (0.4, 0.8), (0.6, 0.95), (0.08, 0.6)) if vivid else None,
        slit=rng.random() < (0.5 if cat else 0.05),
        eye=rng.uniform(0.17, 0.25) if cat else rng.uniform(0.14, 0.21),
        apart=rng.uniform(0.38, 0.5),
        whiskers=int(rng.choice([0, 2, 3], p=[0.12, 0.4, 0.48] if cat else [0.85, 0.1, 0.05])),
        pattern=int(rng.integers(5)),
        bib=rng.random() < 0.5,
        tongue=rng.random() < (0.25 if cat else 0.4),
        collar=colour(rng, (0.4, 0.9), (0.4, 0.95)) if rng.random() < 0.5 else None,
    )


def _pose(rng: Rng, look: Look, canvas: npt.NDArray[np.uint8], ground: float) -> None:
    height, width = canvas.shape[:2]
    short = min(height, width)
    pose = rng.choice(3, p=[0.4, 0.4, 0.2])
    unit = short * (rng.uniform(0.22, 0.3), rng.uniform(0.15, 0.2), rng.uniform(0.17, 0.23))[pose]
    x = width * rng.uniform(0.36, 0.64)
    foot = max(ground, min(height * rng.uniform(0.86, 1.02), ground + 2 * unit))
    y = (height * rng.uniform(0.45, 0.6), foot - 3.0 * unit, foot - 1.55 * unit)[pose]
    y = max(y, 1.25 * unit)
    flip = -1.0 if rng.random() < 0.5 else 1.0
    lean = rng.uniform(-0.08, 0.08)
    body = Brush(canvas, _matrix(x, y, unit, lean, flip), look.ink, 0.055)
    if pose != 0:
        cv2.ellipse(
            canvas, (int(x), int(foot)), (int(1.5 * unit), int(0.25 * unit)), 0, 0, 360, _shade(canvas, x, foot), -1
        )
    (_bust, _sitting, _lying)[pose](rng, look, body)
    head = Brush(canvas, _matrix(x, y, unit, lean + rng.normal(0, 0.16), flip), look.ink, 0.055)
    _head(rng, look, head)


def _shade(canvas: npt.NDArray[np.uint8], x: float, y: float) -> Colour:
    height, width = canvas.shape[:2]
    red, green, blue = (int(v) for v in canvas[min(int(y), height - 1), min(int(x), width - 1)])
    return mixed((red, green, blue), _BLACK, 0.25)


def _matrix(x: float, y: float, unit: float, turn: float, flip: float) -> Points:
    c, s = unit * np.cos(turn), unit * np.sin(turn)
    return np.array([[c * flip, -s, x], [s * flip, c, y]])


def _bust(rng: Rng, look: Look, brush: Brush) -> None:
    wide = rng.uniform(1.1, 1.5)
    chest = smooth([(-0.6, 0.5), (0.6, 0.5), (wide, 1.4), (wide * 1.1, 3.2), (-wide * 1.1, 3.2), (-wide, 1.4)])
    _coat(rng, look, brush, chest, (0.0, 1.8), 1.3)
    _collar(look, brush, 0.72)


def _sitting(rng: Rng, look: Look, brush: Brush) -> None:
    _tail(rng, look, brush, (0.8, 2.7))
    wide = rng.uniform(0.95, 1.25)
    torso = smooth(
        [
            (-0.5, 0.5),
            (0.5, 0.5),
            (wide * 0.8, 1.6),
            (wide, 2.7),
            (0.5, 3.0),
            (-0.5, 3.0),
            (-wide, 2.7),
            (-wide * 0.8, 1.6),
        ]
    )
    _coat(rng, look, brush, torso, (0.0, 1.9), 1.1)
    for side in (-1.0, 1.0):
        leg = smooth([(side * 0.12, 1.6), (side * 0.5, 1.6), (side * 0.5, 2.9), (side * 0.1, 2.9)])
        brush.shape(leg, look.coat)
        brush.shape(ellipse(side * 0.33, 2.95, 0.32, 0.18), look.light if look.bib else look.coat)
    _collar(look, brush, 0.78)


def _lying(rng: Rng, look: Look, brush: Brush) -> None:
    _tail(rng, look, brush, (2.7, 1.1))
    long = rng.uniform(2.3, 2.9)
    torso = smooth(
        [(-0.7, 0.4), (0.5, 0.0), (long * 0.7, 0.0), (long, 0.7), (long * 0.9, 1.5), (0.5, 1.55), (-0.6, 1.5)]
    )
    _coat(rng, look, brush, torso, (long * 0.5, 0.8), 1.0)
    for x in (-0.55, 0.2, long * 0.75):
        brush.shape(ellipse(x, 1.42, 0.42, 0.2), look.light if look.bib else look.coat)


def _tail(rng: Rng, look: Look, brush: Brush, root: tuple[float, float]) -> None:
    x, y = root
    bend = rng.uniform(-0.5, 0.5)
    knots = [(x - 0.2, y), (x + 0.7, y - 0.1), (x + 1.0 + bend * 0.4, y - 0.8), (x + 0.8 + bend, y - 1.4)]
    path = smooth(knots, closed=False)
    width = rng.uniform(0.2, 0.36)
    brush.stroke(path, look.ink, width + 0.1)
    brush.stroke(path, look.coat, width)


def _collar(look: Look, brush: Brush, y: float) -> None:
    if look.collar is None:
        return
    band = smooth(
        [(-0.72, y - 0.12), (0, y + 0.12), (0.72, y - 0.12), (0.75, y + 0.1), (0, y + 0.36), (-0.75, y + 0.1)]
    )
    brush.shape(band, look.collar)
    brush.shape(ellipse(0, y + 0.36, 0.15, 0.15), mixed(look.collar, (255, 225, 120), 0.7))


def _coat(rng: Rng, look: Look, brush: Brush, region: Points, centre: tuple[float, float], reach: float) -> None:
    """A part of the body in the creature's coat, marks included."""
    brush.shape(region, look.coat)
    x, y = centre
    marks: list[tuple[Points, Colour]] = []
    if look.pattern == 1:
        for dy in np.linspace(-1, 1, 6) * reach:
            wave = [(x - 1.4 * reach, y + dy), (x - 0.5 * reach, y + dy + 0.12), (x - 1.4 * reach, y + dy + 0.2)]
            marks += [(smooth(wave), look.second), (2 * np.array([x, 0.0]) + mirrored(smooth(wave)), look.second)]
    elif look.pattern == 2:
        for _ in range(3):
            across, down = x + rng.normal(0, 0.7) * reach, y + rng.normal(0, 0.6) * reach
            wide, high = rng.uniform(0.3, 0.7, 2) * reach
            marks.append((ellipse(across, down, wide, high, rng.uniform(0, 3), 24), look.second))
    elif look.pattern == 3:
        for _ in range(12):
            across, down = x + rng.normal(0, 0.8) * reach, y + rng.normal(0, 0.7) * reach
            wide, high = rng.uniform(0.06, 0.14, 2) * reach
            marks.append((ellipse(across, down, wide, high, 0, 14), look.second))
    if look.bib:
        marks.append((ellipse(x, y + 0.35 * reach, 0.5 * reach, 0.9 * reach), look.light))
    brush.inside(region, marks)
    brush.stroke(np.concatenate([region, region[:1]]))


def _head(rng: Rng, look: Look, brush: Brush) -> None:
    if look.ears != "floppy":
        _upright_ears(look, brush)
    longer, cheek = look.long_face, rng.uniform(-0.05, 0.08)
    wide = 1.04 - 0.75 * longer
    right = [(0.5, -0.82), (wide * 0.9, -0.3), (wide + cheek, 0.22), (0.62 - longer * 0.4, 0.7 + longer)]
    left = [(-x, y) for x, y in reversed(right)]
    skull = smooth([(0.0, -0.92), *right, (0.0, 0.84 + longer), *left])
    _face(rng, look, brush, skull)
    if look.ears == "floppy":
        _floppy_ears(rng, look, brush)
    _eyes(rng, look, brush)
    _muzzle(look, brush)


def _face(rng: Rng, look: Look, brush: Brush, skull: Points) -> None:
    brush.shape(skull, look.coat)
    marks: list[tuple[Points, Colour]] = []
    if look.pattern == 1:
        marks += [(ellipse(x, -0.8, 0.06, 0.26, -x, 16), look.second) for x in (-0.25, 0.0, 0.25)]
        cheeks = [(side, y) for side in (-1.0, 1.0) for y in (0.1, 0.32)]
        marks += [(ellipse(side, y, 0.3, 0.05, side * 0.25, 16), look.second) for side, y in cheeks]
    elif look.pattern == 2:
        side = rng.choice([-1.0, 1.0])
        marks.append((ellipse(side * 0.5, -0.2, 0.48, 0.6, side * 0.4), look.second))
    elif look.pattern == 3:
        freckles = rng.normal((0, -0.4), (0.5, 0.3), (9, 2))
        marks += [(ellipse(x, y, 0.07, 0.06, 0, 14), look.second) for x, y in freckles]
    elif look.pattern == 4:
        marks.append((ellipse(0, 0.4, 0.62, 0.62), look.second))
    if look.bib:
        marks.append((smooth([(0, -0.75), (0.14, -0.1), (0.5, 0.5), (0, 1.0), (-0.5, 0.5), (-0.14, -0.1)]), look.light))
    brush.inside(skull, marks)
    brush.stroke(np.concatenate([skull, skull[:1]]))


def _upright_ears(look: Look, brush: Brush) -> None:
    tall = look.ear_size
    ear = np.array(
        [[0.16, -0.78], [0.42, -0.78 - 0.5 * tall], [0.8, -0.62 - 0.78 * tall], [0.95, -0.6 - 0.3 * tall], [0.93, -0.2]]
    )
    middle = np.array([0.66, -0.62])
    for flip in (lambda p: p, mirrored):
        brush.shape(flip(ear), look.second if look.pattern == 4 else look.coat)
        brush.shape(flip(middle + 0.62 * (ear - middle)), mixed(look.light, _PINK, 0.5), outlined=False)
        if look.ears == "folded":
            flap = smooth([(0.3, -0.7 - 0.42 * tall), (0.85, -0.58 - 0.5 * tall), (0.98, -0.42), (0.72, -0.46)])
            brush.shape(flip(flap), look.second)


def _floppy_ears(rng: Rng, look: Look, brush: Brush) -> None:
    low, out = 0.3 + 0.5 * (look.ear_size - 0.6), rng.uniform(1.1, 1.4)
    ear = smooth([(0.42, -0.86), (0.85, -0.82), (out, -0.1), (out * 0.98, low), (0.9, low + 0.1), (0.78, -0.2)])
    fill = mixed(look.coat, look.second, 0.6)
    brush.shape(ear, fill)
    brush.shape(mirrored(ear), fill)


def _eyes(rng: Rng, look: Look, brush: Brush) -> None:
    size, gaze = look.eye, rng.uniform(-0.04, 0.04)
    shut = rng.random() < 0.06
    for side in (-1.0, 1.0):
        x, y = side * look.apart, -0.12
        if shut:
            brush.stroke(smooth([(x - size, y), (x, y + size * 0.6), (x + size, y)], closed=False), width=0.08)
            continue
        if look.iris is None:
            brush.shape(ellipse(x, y, size * 0.8, size * 0.9), (36, 28, 28), outlined=False)
        else:
            brush.shape(ellipse(x, y, size, size * 0.92), look.iris)
            pupil = size * (0.25 if look.slit else 0.62)
            brush.shape(ellipse(x + gaze, y, pupil, size * 0.78), (22, 18, 20), outlined=False)
        brush.shape(ellipse(x + gaze - size * 0.25, y - size * 0.3, size * 0.22, size * 0.22), _WHITE, outlined=False)


def _muzzle(look: Look, brush: Brush) -> None:
    wide, y = 0.27 * look.muzzle, 0.3 + look.long_face
    pale = mixed(look.light, _WHITE, 0.15)
    if look.tongue:
        brush.shape(ellipse(0, y + 0.36 * look.muzzle, 0.12, 0.2), _PINK)
    if look.round_nose:
        brush.shape(ellipse(0, y + 0.1, wide * 1.45, 0.34 * look.muzzle), pale)
    else:
        for side in (-1.0, 1.0):
            brush.shape(ellipse(side * wide * 0.75, y + 0.16, wide, 0.2 * look.muzzle), pale, outlined=False)
    top = y - 0.08 * look.muzzle
    size = 0.13 * look.muzzle
    if look.round_nose:
        brush.shape(ellipse(0, top, size * 1.15, size * 0.8), look.nose)
    else:
        brush.shape(smooth([(-size, top - size * 0.5), (size, top - size * 0.5), (0, top + size * 0.7)]), look.nose)
    brush.stroke(np.array([[0, top + size * 0.7], [0, y + 0.18]]))
    for side in (-1.0, 1.0):
        smile = [(0.0, y + 0.18), (side * wide * 0.55, y + 0.28), (side * wide, y + 0.18)]
        brush.stroke(smooth(smile, closed=False))
        for row in range(look.whiskers):
            start = side * wide * 1.3, y + 0.08 + 0.09 * row
            end = side * (1.25 + 0.12 * row), y - 0.1 + 0.22 * row
            brush.stroke(np.array([start, end]), mixed(look.ink, _WHITE, 0.15), 0.03)


def _developed(rng: Rng, canvas: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Light, tint and a little grain, as a camera would add."""
    gain = rng.uniform(0.85, 1.12) * rng.uniform(0.94, 1.06, 3)
    table = (np.arange(256)[:, None] * gain + rng.uniform(-12, 12)).clip(0, 255).astype(np.uint8)
    lit = cv2.LUT(canvas, table.reshape(1, 256, 3))
    tile = rng.integers(0, 7, (64, 64, 3), dtype=np.uint8)
    height, width = canvas.shape[:2]
    grain = cv2.repeat(tile, height // 64 + 1, width // 64 + 1)[:height, :width]
    developed: npt.NDArray[np.uint8] = cv2.subtract(lit, grain)
    return developed
