"""Crop, mirror, rotation and colour jitter in two passes over the pixels: one affine warp and one 3 × 4 matrix.

The same draws as albumentations' chain of the same steps, from the same generators in the same order, so the two show
the same view of the same picture. What differs is arithmetic:

- Pixels are interpolated once instead of twice. A crop more than twice the model's size is first reduced: by the
  JPEG decoder, which then does less work, and by areas where that does not suffice. A view from a file is within
  3 grey levels (mean over a picture; 2 over many) of the view from its pixels; one that is moved by a pixel is 7 off.
- Values are rounded and clipped once, after all colour steps, instead of after each.
- Hue is turned about the grey axis in YIQ, which keeps luminance, where HSV keeps the largest channel.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.data.augment import Steps
from toolkit.data.decode import Encoded, pixels_of, reduction
from toolkit.data.draws import Generators
from toolkit.data.opencv import cv2
from toolkit.data.pipeline import AugmentPipeline, PerThread
from toolkit.data.preprocess import Preprocess
from toolkit.data.types import SampleIndex

__all__ = ["FusedPipeline", "augment_transform"]

Pixels = npt.NDArray[np.uint8]
Matrix = npt.NDArray[np.float64]
Range = tuple[float, float]
Window = tuple[float, float, float, float]
"""Top, left, height and width in pixels, not always whole."""

# OpenCV's own weights, which albumentations takes the grey of contrast and saturation from.
_LUMA = np.array([0.299, 0.587, 0.114])
_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
_FROM_YIQ = np.linalg.inv(_TO_YIQ)


@dataclass(frozen=True)
class Chain:
    """The parameters of the steps; a step that is missing has probability 0.

    Args:
        scale: share of the picture's area that a crop covers.
        ratio: width by height of a crop.
        flip: probability of mirroring.
        angles: degrees, counter-clockwise.
        rotate: probability of rotating.
        jitter: ranges of brightness, contrast and saturation factors, and of the hue's turn (1 is full circle).
        recolour: probability of jitter.
    """

    scale: Range = (0.08, 1.0)
    ratio: Range = (0.75, 4 / 3)
    flip: float = 0.0
    angles: Range = (0.0, 0.0)
    rotate: float = 0.0
    jitter: tuple[Range, Range, Range, Range] = ((1.0, 1.0), (1.0, 1.0), (1.0, 1.0), (0.0, 0.0))
    recolour: float = 0.0


class FusedPipeline:
    """The fast form of :class:`AugmentPipeline` for the chains that :func:`fusible` knows."""

    takes_encoded = True

    def __init__(self, chain: Chain, preprocess: Preprocess) -> None:
        self.chain = chain
        self.preprocess = preprocess
        self._generators = PerThread(Generators)

    def __call__(self, image: Pixels | Encoded, index: int = 0) -> Pixels:
        """RGB uint8 (h, w, 3), or a file's content, to uint8 (height, width, channels) of the model's input."""
        generators = self._generators.mine()
        generators.reset(index if isinstance(index, SampleIndex) else SampleIndex(index))
        chain, chance = self.chain, generators.python
        chance.random()  # albumentations' Compose draws whether to run at all
        size = image.reducible if isinstance(image, Encoded) else None
        if size is None:
            image = pixels_of(image)
            size = image.shape[0], image.shape[1]
        crop = _crop(chance, chain, *size)
        flip = _happens(chance, chain.flip)
        angle = chance.uniform(*chain.angles) if _happens(chance, chain.rotate) else 0.0
        view = _warp(*_cut(image, crop, self.preprocess), self.preprocess, flip, angle)
        if _happens(chance, chain.recolour):
            factors = [chance.uniform(low, high) for low, high in chain.jitter]
            order = [0, 1, 2, 3]
            generators.numpy.shuffle(order)
            view = _recolour(view, factors, order)
        return self.preprocess.in_channels(view)


def augment_transform(steps: Steps, preprocess: Preprocess) -> FusedPipeline | AugmentPipeline:
    """The steps in their fast form where they have one."""
    chain = fusible(steps, preprocess.height, preprocess.width)
    return AugmentPipeline(steps, preprocess) if chain is None else FusedPipeline(chain, preprocess)


def fusible(steps: Steps, height: int, width: int) -> Chain | None:
    """The chain that the steps are, or None if they are another.

    Known are ``RandomResizedCrop`` to (height, width), then any of ``HorizontalFlip``, ``Rotate`` and
    ``ColorJitter`` in this order, with the parameters that :class:`Chain` has and no others.
    """
    known = {
        "RandomResizedCrop": {"size", "scale", "ratio", "area_for_downscale"},
        "HorizontalFlip": {"p"},
        "Rotate": {"limit", "p"},
        "ColorJitter": {"brightness", "contrast", "saturation", "hue", "p"},
    }
    names = [step["name"] for step in steps]
    if not names or names[0] != "RandomResizedCrop" or names != [name for name in known if name in names]:
        return None
    if any(set(step) - {"name"} - known[step["name"]] for step in steps):
        return None
    named = {step["name"]: step for step in steps}
    crop = named["RandomResizedCrop"]
    if list(crop["size"]) != [height, width]:
        return None
    values: dict[str, Any] = {key: tuple(crop[key]) for key in ("scale", "ratio") if key in crop}
    if "HorizontalFlip" in named:
        values["flip"] = named["HorizontalFlip"].get("p", 0.5)
    if "Rotate" in named:
        rotate = named["Rotate"]
        values |= {"rotate": rotate.get("p", 0.5), "angles": _around(rotate.get("limit", (-90, 90)), 0.0)}
    if "ColorJitter" in named:
        values |= {"recolour": named["ColorJitter"].get("p", 0.5), "jitter": _jitter(named["ColorJitter"])}
    return Chain(**values)


def _jitter(step: Mapping[str, Any]) -> tuple[Range, ...]:
    default = (0.8, 1.2)
    factors = [_around(step.get(key, default), 1.0) for key in ("brightness", "contrast", "saturation")]
    return (*((max(0.0, low), high) for low, high in factors), _around(step.get("hue", (-0.5, 0.5)), 0.0))


def _around(value: Any, centre: float) -> Range:
    """albumentations' reading of a range: a number stands for that far to both sides."""
    if isinstance(value, int | float):
        return centre - value, centre + value
    low, high = value
    return float(low), float(high)


def _happens(chance: random.Random, probability: float) -> bool:
    """As albumentations draws it: nothing is drawn where the answer is certain."""
    if probability <= 0:
        return False
    return probability >= 1 or chance.random() < probability


def _crop(chance: random.Random, chain: Chain, height: int, width: int) -> tuple[int, int, int, int]:
    """Top, left, height and width of a random crop (Szegedy et al., 2015), the whole middle after ten misses."""
    area = height * width
    for _ in range(10):
        wanted = chance.uniform(chain.scale[0] * area, chain.scale[1] * area)
        ratio = math.exp(chance.uniform(math.log(chain.ratio[0]), math.log(chain.ratio[1])))
        wide, high = round(math.sqrt(wanted * ratio)), round(math.sqrt(wanted / ratio))
        if 0 < wide <= width and 0 < high <= height:
            down, across = chance.random(), chance.random()
            return int((height - high + 1) * down), int((width - wide + 1) * across), high, wide
    high, wide = height, width
    if width / height < chain.ratio[0]:
        high = round(width / chain.ratio[0])
    elif width / height > chain.ratio[1]:
        wide = round(height * chain.ratio[1])
    return (height - high) // 2, (width - wide) // 2, high, wide


def _cut(image: Pixels | Encoded, crop: tuple[int, int, int, int], preprocess: Preprocess) -> tuple[Pixels, Window]:
    """The pixels that a crop touches, and its window in them; from a file, as small as the model's size allows."""
    top, left, height, width = crop
    if not isinstance(image, Encoded):
        return image[top : top + height, left : left + width], (0.0, 0.0, float(height), float(width))
    factor = min(reduction(height, preprocess.height), reduction(width, preprocess.width))
    down, across = image.lead(factor)
    y, x = (top + down) / factor, (left + across) / factor
    pixels = image.pixels(factor)[int(y) :, int(x) :]
    high, wide = height / factor, width / factor
    y, x = y % 1, x % 1
    return pixels[: math.ceil(y + high), : math.ceil(x + wide)], (y, x, high, wide)


def _warp(pixels: Pixels, window: Window, preprocess: Preprocess, flip: bool, angle: float) -> Pixels:
    """The window at the model's size, mirrored, then rotated about the centre with black corners."""
    height, width = preprocess.height, preprocess.width
    pixels, (y, x, high, wide) = _reduced(pixels, window, height, width)
    if angle == 0.0 and (high, wide) == pixels.shape[:2]:
        resized: Pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)
        return cv2.flip(resized, 1) if flip else resized
    turn = math.radians(angle)
    cos, sin = math.cos(turn), math.sin(turn)
    across, down = wide / width, high / height
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    mirror = -1.0 if flip else 1.0
    # From a pixel of the result back to the window: about the centre, unturned, unmirrored, scaled to the window's.
    matrix = np.array([[across * mirror * cos, -across * mirror * sin, 0.0], [down * sin, down * cos, 0.0]])
    centre = np.array([x + (wide - 1) / 2, y + (high - 1) / 2])
    matrix[:, 2] = centre - matrix[:, :2] @ [middle_x, middle_y]
    # OpenCV warps four channels in half the time of three, which pays for adding one and taking it away.
    four = cv2.cvtColor(pixels, cv2.COLOR_RGB2RGBA)
    border = cv2.BORDER_REPLICATE if angle == 0.0 else cv2.BORDER_CONSTANT
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    four = cv2.warpAffine(four, matrix, (width, height), flags=flags, borderMode=border)
    warped: Pixels = cv2.cvtColor(four, cv2.COLOR_RGBA2RGB)
    return warped


def _reduced(pixels: Pixels, window: Window, height: int, width: int) -> tuple[Pixels, Window]:
    """At most twice the model's size: beyond that, bilinear sampling would leave pixels out."""
    y, x, high, wide = window
    if high <= 2 * height and wide <= 2 * width:
        return pixels, window
    rows, columns = pixels.shape[:2]
    size = columns // max(1, int(wide) // width), rows // max(1, int(high) // height)
    down, across = size[1] / rows, size[0] / columns
    reduced: Pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return reduced, (y * down, x * across, high * down, wide * across)


def _recolour(view: Pixels, factors: Sequence[float], order: Sequence[int]) -> Pixels:
    """All four colour steps, in the order drawn, as one affine map of colour."""
    brightness, contrast, saturation, hue = factors
    total, shift = np.eye(3), np.zeros(3)
    mean = np.array(cv2.mean(view)[:3])
    for step in order:
        if step == 0:
            total, shift = brightness * total, brightness * shift
        elif step == 1:
            grey = float(_LUMA @ (total @ mean + shift))
            total, shift = contrast * total, contrast * shift + (1 - contrast) * grey
        else:
            matrix = saturation * np.eye(3) + (1 - saturation) * _LUMA if step == 2 else _hue(hue)
            total, shift = matrix @ total, matrix @ shift
    coloured: Pixels = cv2.transform(view, np.hstack([total, shift[:, None]]))
    return coloured


def _hue(turn: float) -> Matrix:
    """A rotation of chroma by ``turn`` of a full circle, from red over yellow to green."""
    cos, sin = math.cos(2 * math.pi * turn), math.sin(2 * math.pi * turn)
    chroma = np.array([[1, 0, 0], [0, cos, sin], [0, -sin, cos]])
    rotation: Matrix = _FROM_YIQ @ chroma @ _TO_YIQ
    return rotation
