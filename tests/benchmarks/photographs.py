"""Drawn JPEGs that cost a decoder what photographs cost: detail at every scale, about 1.7 bits a pixel."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

SIZES = {"500 × 375": (375, 500), "3 MP": (1500, 2000), "12 MP": (3000, 4000)}
"""(height, width) of each kind."""
GRAIN = 3.0
"""Standard deviation of the sensor's noise, in grey levels."""


def photograph(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """RGB uint8 with a spectrum like nature's: each octave of detail fainter than the last."""
    total = np.full((height, width, 3), 128, np.float32)
    side, strength = 3, 45.0
    while side < max(height, width):
        coarse = rng.normal(0, strength, (max(2, side * height // width), side, 3)).astype(np.float32)
        coarse = coarse.mean(axis=2, keepdims=True) + 0.4 * coarse
        total += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        side, strength = side * 2, strength * 0.66
    total += rng.normal(0, GRAIN, (height, width, 1)).astype(np.float32)
    return total.clip(0, 255).astype(np.uint8)


def write_photographs(folder: Path, count: int, size: tuple[int, int], seed: int = 0) -> list[Path]:
    """``count`` JPEGs of (height, width) with colour at half resolution, quality 90, as cameras write them."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, files = np.random.default_rng(seed), []
    for number in range(count):
        files.append(folder / f"{'cat' if number % 2 else 'dog'}.{number}.jpg")
        pixels = cv2.cvtColor(photograph(rng, *size), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(files[-1]), pixels, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return files
