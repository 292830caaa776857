"""Pictures of shapes on textured ground, with their masks. Nothing is downloaded."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

CLASSES = ["background", "disc", "square", "triangle", "star"]
_MOST = 4  # shapes in a picture
_CONTRAST = 80  # least distance between a shape's colour and the ground's, of 0..441
_CORNERS = {2: 4, 3: 3, 4: 5}

Pixels = npt.NDArray[np.uint8]


class DrawnShapes:
    """``count`` pictures; picture i is a function of ``seed`` and i alone."""

    def __init__(self, count: int, size: int, seed: tuple[int, ...]) -> None:
        self.images = np.empty((count, size, size, 3), np.uint8)
        self.masks = np.empty((count, size, size), np.uint8)
        for i in range(count):
            self.images[i], self.masks[i] = draw(size, np.random.default_rng([*seed, i]))

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Pixels, Pixels]:
        """The picture, (size, size, 3), and its mask, (size, size); both uint8."""
        return self.images[index], self.masks[index]


def draw(size: int, rng: np.random.Generator) -> tuple[Pixels, Pixels]:
    """One picture and its mask."""
    ground = rng.uniform(30, 225, 3)
    image = _texture(size, ground, rng)
    mask = np.zeros((size, size), np.uint8)
    for _ in range(int(rng.integers(1, _MOST + 1))):
        label = int(rng.integers(1, len(CLASSES)))
        stencil = _stencil(label, size, rng)
        image = np.where(stencil[..., None] > 0, _texture(size, _other_colour(ground, rng), rng), image)
        mask[stencil > 0] = label
    noisy = image + rng.normal(0, 5, image.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8), mask


def _texture(size: int, colour: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Clouds and stripes around a colour, (size, size, 3)."""
    coarse = rng.normal(0, 14, (5, 5, 3))
    clouds = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    y, x = np.mgrid[:size, :size]
    angle, period = rng.uniform(0, np.pi), rng.uniform(4, 16)
    stripes = np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / period) * rng.uniform(0, 14)
    return np.asarray(colour + clouds + stripes[..., None], dtype=np.float64)


def _other_colour(ground: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    while True:
        colour = rng.uniform(20, 235, 3)
        if np.linalg.norm(colour - ground) >= _CONTRAST:
            return colour


def _stencil(label: int, size: int, rng: np.random.Generator) -> Pixels:
    """Where a shape covers the picture."""
    stencil = np.zeros((size, size), np.uint8)
    radius = rng.uniform(0.17, 0.3) * size
    centre = rng.uniform(0.5 * radius, size - 0.5 * radius, 2)
    if label == 1:
        cv2.circle(stencil, np.rint(centre).astype(int).tolist(), round(radius), 1, cv2.FILLED)
        return stencil
    corners = _CORNERS[label]
    turns = rng.uniform(0, 2 * np.pi) + np.arange(2 * corners) * np.pi / corners
    reach = np.full(2 * corners, radius)
    reach[1::2] *= 0.4 if label == 4 else np.cos(np.pi / corners)  # a star's dents, a polygon's edges
    points = centre + reach[:, None] * np.stack([np.cos(turns), np.sin(turns)], 1)
    cv2.fillPoly(stencil, [np.rint(points).astype(np.int32)], 1)
    return stencil
