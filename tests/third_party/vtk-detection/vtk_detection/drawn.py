"""Pictures of shapes with their boxes. Nothing is downloaded."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

CLASSES = ["disc", "square", "triangle"]
_MOST, _TRIES = 4, 20

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Boxed:
    """A picture, uint8 (height, width, 3); its boxes, float32 (n, 4), as x1, y1, x2, y2; their classes, int64 (n,)."""

    image: Pixels
    boxes: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]


class DrawnBoxes:
    """``count`` pictures; picture i is a function of ``seed`` and i alone."""

    def __init__(self, count: int, size: int, seed: tuple[int, ...]) -> None:
        self.pictures = [draw(size, np.random.default_rng([*seed, i])) for i in range(count)]

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> Boxed:
        return self.pictures[index]


def draw(size: int, rng: np.random.Generator) -> Boxed:
    """One to four shapes that do not touch, each a colour of its own."""
    image = cv2.GaussianBlur(rng.uniform(0, 255, (size, size, 3)).astype(np.float32), (0, 0), 2.5)
    boxes: list[list[float]] = []
    labels: list[int] = []
    for _ in range(int(rng.integers(1, _MOST + 1))):
        side = float(rng.uniform(0.16, 0.42) * size)
        corner = _free_corner(boxes, side, size, rng)
        if corner is None:
            continue
        labels.append(int(rng.integers(len(CLASSES))))
        boxes.append([*corner, corner[0] + side, corner[1] + side])
        _paint(image, labels[-1], np.array(boxes[-1]), rng)
    image += rng.normal(0, 5, image.shape).astype(np.float32)
    return Boxed(np.clip(image, 0, 255).astype(np.uint8), np.array(boxes, np.float32), np.array(labels, np.int64))


def _free_corner(
    boxes: list[list[float]], side: float, size: int, rng: np.random.Generator
) -> tuple[float, float] | None:
    """Where a square of this side touches none of the others."""
    for x, y in rng.uniform(0, size - 1 - side, (_TRIES, 2)):
        if all(x + side < a or x > c or y + side < b or y > d for a, b, c, d in boxes):
            return float(x), float(y)
    return None


def _paint(image: npt.NDArray[np.float32], label: int, box: npt.NDArray[np.float64], rng: np.random.Generator) -> None:
    x1, y1, x2, y2 = box
    corners = {1: [(x1, y1), (x2, y1), (x2, y2), (x1, y2)], 2: [((x1 + x2) / 2, y1), (x2, y2), (x1, y2)]}
    colour = (rng.choice([40.0, 215.0], 3) + rng.uniform(-35, 35, 3)).tolist()
    if label == 0:
        centre = np.rint([(x1 + x2) / 2, (y1 + y2) / 2]).astype(int).tolist()
        cv2.circle(image, centre, round((x2 - x1) / 2), colour, cv2.FILLED)
    else:
        cv2.fillPoly(image, [np.rint(corners[label]).astype(np.int32)], colour)
