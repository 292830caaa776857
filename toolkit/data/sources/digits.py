"""scikit-learn's handwritten digits: 1,797 real scans that need no download."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from toolkit.data.sources.index import Found, ImageArrays
from toolkit.data.sources.source import Source
from toolkit.system.opencv import cv2

__all__ = ["Digits"]


class Digits(Source):
    """Scans of handwritten digits, 8 × 8 grey (Alpaydin and Kaynak, 1998), as scikit-learn carries them."""

    name: Literal["digits"]
    size: Annotated[int, Field(ge=8, le=512)] = Field(8, description="Side in pixels; the scans are enlarged to it.")

    def load(self) -> Found:
        from sklearn.datasets import load_digits

        scans = load_digits()
        images = np.rint(scans.images * (255 / 16)).astype(np.uint8)
        targets = scans.target.astype(np.int64)
        return Found(ImageArrays(_enlarged(images, self.size), targets, tuple("0123456789")))


def _enlarged(images: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    if images.shape[1] == size:
        return images
    return np.stack([cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR) for image in images])
