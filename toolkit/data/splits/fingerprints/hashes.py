"""What is kept of a picture to find it again: a hash of the file's bytes, and how the picture looks."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toolkit.data.io.resize import area_resized
from toolkit.system.opencv import cv2

__all__ = ["LOOK_SIDE", "THUMB_SIDE", "Look", "content_hash", "look", "perceptual_hash"]

Pixels = npt.NDArray[np.uint8]

LOOK_SIDE = 32
"""Pixels a side that a picture must have, or be reduced to at most, for its look to be told."""

THUMB_SIDE = 16
_FLAT = 2.0
_LOW = sorted(((v, u) for v in range(11) for u in range(11) if v + u), key=lambda place: (sum(place), place))[:64]
_ROWS, _COLUMNS = (np.array(places) for places in zip(*_LOW, strict=True))
_BITS = np.uint64(1) << np.arange(64, dtype=np.uint64)


@dataclass(frozen=True, slots=True)
class Look:
    """How a picture looks, small enough to be kept for every picture of a data set.

    Args:
        hash: :func:`perceptual_hash`, 64 bits.
        thumbnail: RGB uint8, shape (16, 16, 3); the whole picture, squeezed.
        flat: hardly anything is on it (the thumbnail's greys spread less than 2 of 255); its hash then is noise.
    """

    hash: int
    thumbnail: Pixels
    flat: bool


def content_hash(data: bytes | memoryview) -> bytes:
    """BLAKE2b of a file's bytes, 16 bytes: equal for equal content, and for nothing else."""
    return hashlib.blake2b(data, digest_size=16).digest()


def look(pixels: Pixels) -> Look:
    """How a picture looks. ``pixels``: upright RGB uint8 (h, w, 3) of any size."""
    thumbnail = area_resized(pixels, THUMB_SIDE, THUMB_SIDE)
    flat = bool(thumbnail.astype(np.float32).mean(axis=2).std() < _FLAT)
    return Look(perceptual_hash(pixels), thumbnail, flat)


def perceptual_hash(pixels: Pixels) -> int:
    """A 64-bit hash that another size, format or quality of the same picture hardly changes.

    pHash (Zauner, 2010, "Implementation and benchmarking of perceptual image hash functions"): the picture in grey at
    32 × 32, its two-dimensional DCT-II, and of the 64 lowest frequencies (here by ``u + v``, without the mean) one bit
    each, whether it is above their median. Distances are numbers of differing bits.

    Args:
        pixels: RGB uint8 (h, w, 3).
    """
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    small = area_resized(grey, LOOK_SIDE, LOOK_SIDE)
    low = cv2.dct(small.astype(np.float32))[_ROWS, _COLUMNS]
    return int(_BITS[low > np.median(low)].sum(dtype=np.uint64))
