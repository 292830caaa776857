"""Bringing pictures to another size without aliasing, by OpenCV's areas or by Pillow's filters."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from toolkit.system.opencv import cv2

__all__ = ["Box", "Interpolation", "area_resized", "filtered"]

Pixels = npt.NDArray[np.uint8]
Interpolation = Literal["area", "bilinear", "bicubic", "lanczos"]
Box = tuple[float, float, float, float]
"""Top, left, bottom and right of a part of a picture in pixels, not always whole."""


def area_resized(image: Pixels, height: int, width: int) -> Pixels:
    """The whole picture at another size: averaged over areas where it shrinks, bilinear where it grows.

    Each axis is treated on its own. OpenCV's ``INTER_AREA`` averages only where both shrink; where one grows it picks
    single pixels on the other, and fine detail turns into patterns.

    Args:
        image: uint8 (h, w), or (h, w, c), which stays three-dimensional.
    """
    rows, columns = image.shape[:2]
    if (rows, columns) == (height, width):
        return image
    resized = image
    if rows > height or columns > width:
        resized = cv2.resize(image, (min(columns, width), min(rows, height)), interpolation=cv2.INTER_AREA)
    if resized.shape[:2] != (height, width):
        resized = cv2.resize(resized, (width, height), interpolation=cv2.INTER_LINEAR)
    return resized if resized.ndim == image.ndim else resized[..., None]


def filtered(
    image: Pixels, height: int, width: int, method: Literal["hamming", "bilinear", "bicubic", "lanczos"], box: Box
) -> Pixels:
    """A part of a picture at another size, by Pillow's filter of that name, widened where an axis shrinks.

    Pixels beyond the part count as they would if the whole picture were resized and the part cut out then. It is what
    torchvision and timm do with pictures of Pillow, to within rounding.

    Args:
        image: uint8 (h, w, 3) or (h, w, 1).
        method: ``hamming`` comes nearest to the mean over areas, fractions of pixels included.
    """
    from PIL import Image

    grey = image.shape[2] == 1
    whole = Image.fromarray(image[..., 0] if grey else image)
    rows, columns = image.shape[:2]
    sides = max(0.0, box[1]), max(0.0, box[0]), min(float(columns), box[3]), min(float(rows), box[2])
    resized = np.array(whole.resize((width, height), Image.Resampling[method.upper()], box=sides))
    return resized[..., None] if grey else resized
