"""Augmenting a whole batch of small pictures at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.data.augment.augment import Steps
from toolkit.data.augment.rng import uniforms
from toolkit.system.opencv import cv2
from toolkit.types.data import IndexBatch

__all__ = ["ArrayAugment", "vectorised"]

Images = npt.NDArray[np.uint8]
Draws = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Flip:
    """Mirrors left and right with probability ``p``."""

    p: float
    draws = 1

    def __call__(self, images: Images, draws: Draws) -> Images:
        chosen = draws[:, 0] < self.p
        if images.shape[3] == 1:
            images[chosen] = images[chosen, :, ::-1]
        else:  # numpy would copy pixel by pixel
            for place in np.flatnonzero(chosen).tolist():
                cv2.flip(images[place], 1, images[place])
        return images


@dataclass(frozen=True)
class Shift:
    """Moves the picture by up to ``padding`` pixels in each direction; what comes in from outside is black."""

    padding: int
    draws = 2

    def __call__(self, images: Images, draws: Draws) -> Images:
        pad, (count, height, width, channels) = self.padding, images.shape
        row, edge, places = width * channels, pad * channels, 2 * pad + 1
        canvas = np.zeros((count, height + 2 * pad, row + 2 * edge), np.uint8)
        canvas[:, pad : pad + height, edge : edge + row] = images.reshape(count, height, row)
        sample, line, _ = canvas.strides
        windows = np.lib.stride_tricks.as_strided(
            canvas, (count, places, places, height, row), (sample, line, channels, line, 1), writeable=False
        )
        offsets = (draws * places).astype(np.int64)
        return windows[np.arange(count), offsets[:, 0], offsets[:, 1]].reshape(images.shape)


@dataclass(frozen=True)
class Turn:
    """Rotates about the centre by an angle from [low, high] degrees with probability ``p``; bilinear, black corners."""

    low: float
    high: float
    p: float
    draws = 2

    def __call__(self, images: Images, draws: Draws) -> Images:
        _, height, width, _ = images.shape
        centre = (width - 1) / 2, (height - 1) / 2
        angles = self.low + draws[:, 1] * (self.high - self.low)
        for place in np.flatnonzero(draws[:, 0] < self.p).tolist():
            matrix = cv2.getRotationMatrix2D(centre, angles[place], 1.0)
            turned = cv2.warpAffine(images[place], matrix, (width, height), flags=cv2.INTER_LINEAR)
            images[place] = turned.reshape(images.shape[1:])
        return images


Operation = Flip | Shift | Turn


class ArrayAugment:
    """Operations on batches of uint8 pictures, shape (n, height, width, channels), which they may change in place.

    Each sample's draws come from (seed, epoch, index) alone, so the batch that it is in does not matter.
    """

    def __init__(self, operations: list[Operation]) -> None:
        self.operations = operations
        self._draws = sum(operation.draws for operation in operations)

    def __call__(self, images: Images, batch: IndexBatch) -> Images:
        draws = uniforms(batch, self._draws)
        first = 0
        for operation in self.operations:
            images = operation(images, draws[:, first : first + operation.draws])
            first += operation.draws
        return images


def vectorised(steps: Steps, height: int, width: int) -> ArrayAugment | None:
    """The steps as whole-batch operations, or None if one of them is not among those known here.

    Known are ``HorizontalFlip``, ``Rotate`` with black corners, and ``Pad`` followed by ``RandomCrop`` back to the
    pictures' size. They mean what they mean in albumentations; only the draws differ.
    """
    operations: list[Operation] = []
    left = list(steps)
    while left:
        step = left.pop(0)
        operation: Operation | None = None
        if _is(step, "HorizontalFlip", "p"):
            operation = Flip(float(step.get("p", 0.5)))
        elif _is(step, "Rotate", "limit", "p"):
            limit = step.get("limit", 90)
            low, high = limit if isinstance(limit, list | tuple) else (-limit, limit)
            operation = Turn(float(low), float(high), float(step.get("p", 0.5)))
        elif _is(step, "Pad", "padding") and left and _crops_back(left[0], height, width):
            padding = step.get("padding", 0)
            if isinstance(padding, int):
                left.pop(0)
                operation = Shift(padding)
        if operation is None:
            return None
        operations.append(operation)
    return ArrayAugment(operations)


def _is(step: Mapping[str, Any], name: str, *parameters: str) -> bool:
    return step["name"] == name and set(step) <= {"name", *parameters}


def _crops_back(step: Mapping[str, Any], height: int, width: int) -> bool:
    same = step.get("height") == height and step.get("width") == width
    return same and _is(step, "RandomCrop", "height", "width")
