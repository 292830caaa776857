"""Crop, mirror, rotation and colour jitter without albumentations' overhead, and from a JPEG no larger than is seen.

The same draws as albumentations' chain of the same steps, from the same generators in the same order, and the same
arithmetic, so a recipe's line means the same picture whether or not the steps around it have a fast form:

- Mirror, rotation and colour are equal to the bit, and so is a crop that is enlarged, or sampled without
  ``area_for_downscale``.
- With ``area_for_downscale: image`` a crop that shrinks is sampled bilinearly after whole-numbered reduction by areas,
  where albumentations averages over fractions of pixels at seven times the cost. On photographs the two are within 4
  grey levels (mean over a picture; 2.5 over many); a picture moved by a pixel is 5 to 13 off.
- A large JPEG is then decoded at a half, a quarter or an eighth of its size. On photographs its view is within 7 grey
  levels of the view from all its pixels (mean over a picture; 4.5 over many); with finer detail than a photograph's it
  may be more. ``area_for_downscale: null`` decodes in full.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.data.augment.albumentations_pipeline import AugmentPipeline, PerThread
from toolkit.data.augment.augment import Steps
from toolkit.data.augment.rng import Generators
from toolkit.data.io.decode import Encoded, pixels_of, reduction
from toolkit.data.preprocess import Preprocess
from toolkit.system.opencv import cv2
from toolkit.types.data import SampleIndex

__all__ = ["FusedPipeline", "augment_transform"]

Pixels = npt.NDArray[np.uint8]
Matrix = npt.NDArray[np.float64]
Range = tuple[float, float]
Window = tuple[float, float, float, float]
"""Top, left, height and width in pixels, not always whole."""

# A view of one shape is at most so much narrower or wider than the input: beyond it one side may shrink much while the
# other grows.
_LARGEST_SQUEEZE = 2.0
_LEVELS = np.arange(256, dtype=np.float32)


@dataclass(frozen=True)
class Chain:
    """The parameters of the steps; a step that is missing has probability 0.

    Args:
        scale: share of the picture's area that a crop covers.
        ratio: width by height of a crop.
        areas: a crop that shrinks is averaged; else it is sampled, and fine detail may turn into patterns.
        flip: probability of mirroring.
        angles: degrees, counter-clockwise.
        rotate: probability of rotating.
        jitter: ranges of brightness, contrast and saturation factors, and of the hue's turn (1 is full circle).
        recolour: probability of jitter.
    """

    scale: Range = (0.08, 1.0)
    ratio: Range = (0.75, 4 / 3)
    areas: bool = False
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
        size = image.reducible if isinstance(image, Encoded) and chain.areas else None
        if size is None:
            image = pixels_of(image)
            size = image.shape[0], image.shape[1]
        crop = _crop(chance, chain, *size)
        flip = _happens(chance, chain.flip)
        angle = chance.uniform(*chain.angles) if _happens(chance, chain.rotate) else 0.0
        view = _resized(*_cut(image, crop, self.preprocess), self.preprocess, areas=chain.areas)
        if flip:
            view = cv2.flip(view, 1)
        if angle != 0.0:
            view = _turned(view, angle)
        if _happens(chance, chain.recolour):
            factors = [chance.uniform(low, high) for low, high in chain.jitter]
            order = [0, 1, 2, 3]
            generators.numpy.shuffle(order)
            for step in order:
                view = _RECOLOUR[step](view, factors[step])
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
    if list(crop["size"]) != [height, width] or not _keeps_shape(crop.get("ratio", Chain.ratio), height, width):
        return None
    values: dict[str, Any] = {key: tuple(crop[key]) for key in ("scale", "ratio") if key in crop}
    values["areas"] = crop.get("area_for_downscale") is not None
    if "HorizontalFlip" in named:
        values["flip"] = named["HorizontalFlip"].get("p", 0.5)
    if "Rotate" in named:
        rotate = named["Rotate"]
        values |= {"rotate": rotate.get("p", 0.5), "angles": _around(rotate.get("limit", (-90, 90)), 0.0)}
    if "ColorJitter" in named:
        values |= {"recolour": named["ColorJitter"].get("p", 0.5), "jitter": _jitter(named["ColorJitter"])}
    return Chain(**values)


def _keeps_shape(ratio: Range, height: int, width: int) -> bool:
    """Whether no crop is squeezed so much that one of its sides could shrink far while the other grows."""
    return ratio[1] * height / width <= _LARGEST_SQUEEZE and width / height / ratio[0] <= _LARGEST_SQUEEZE


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


def _resized(pixels: Pixels, window: Window, preprocess: Preprocess, *, areas: bool) -> Pixels:
    """The window at the model's size."""
    height, width = preprocess.height, preprocess.width
    method = cv2.INTER_LINEAR
    if areas:
        pixels, window = _reduced(pixels, window, height, width)
        if (window[2] > height) != (window[3] > width):
            method = cv2.INTER_AREA  # samples bilinearly, too, where a side grows, and as albumentations does
    y, x, high, wide = window
    if (y, x, high, wide) == (0.0, 0.0, *pixels.shape[:2]):
        return np.asarray(cv2.resize(pixels, (width, height), interpolation=method), np.uint8)
    across, down = wide / width, high / height
    matrix = np.array([[across, 0.0, x + (across - 1) / 2], [0.0, down, y + (down - 1) / 2]])
    return _warped(pixels, matrix, height, width, cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, cv2.BORDER_REPLICATE)


def _turned(view: Pixels, angle: float) -> Pixels:
    """Rotated about its centre by degrees, counter-clockwise, with black corners."""
    height, width = view.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1.0)
    return _warped(view, matrix, height, width, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT)


def _warped(pixels: Pixels, matrix: Matrix, height: int, width: int, flags: int, border: int) -> Pixels:
    # OpenCV warps four channels in half the time of three, which pays for adding one and taking it away.
    four = cv2.cvtColor(pixels, cv2.COLOR_RGB2RGBA)
    four = cv2.warpAffine(four, matrix, (width, height), flags=flags, borderMode=border)
    return np.asarray(cv2.cvtColor(four, cv2.COLOR_RGBA2RGB), np.uint8)


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


# Each colour step is albumentations' own arithmetic, which rounds and clips after every step: tables are cut off, not
# rounded, and hue is turned in HSV by whole steps of two degrees.


def _brightness(view: Pixels, factor: float) -> Pixels:
    return view if factor == 1 else _by_table(view, _LEVELS * np.float32(factor))


def _contrast(view: Pixels, factor: float) -> Pixels:
    if factor == 1:
        return view
    mean = cv2.mean(cv2.cvtColor(view, cv2.COLOR_RGB2GRAY))[0]
    if factor == 0:
        return np.full_like(view, int(mean + 0.5))
    return _by_table(view, _LEVELS * factor + mean * (1 - factor))


def _saturation(view: Pixels, factor: float) -> Pixels:
    if factor == 1:
        return view
    grey = cv2.cvtColor(cv2.cvtColor(view, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return np.asarray(cv2.addWeighted(view, factor, grey, 1 - factor, 0), np.uint8)


def _hue(view: Pixels, turn: float) -> Pixels:
    """``turn`` of a full circle, from red over yellow to green; lightness and saturation of HSV stay."""
    if turn == 0:
        return view
    hsv = cv2.cvtColor(view, cv2.COLOR_RGB2HSV)
    table = np.mod(np.arange(256, dtype=np.int16) + 180 * turn, 180).astype(np.uint8)
    cv2.insertChannel(cv2.LUT(cv2.extractChannel(hsv, 0), table), hsv, 0)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.uint8)


def _by_table(view: Pixels, table: npt.NDArray[np.float32]) -> Pixels:
    return np.asarray(cv2.LUT(view, np.clip(table, 0, 255).astype(np.uint8)), np.uint8)


# In the order of ColorJitter's own list, which its draw shuffles.
_RECOLOUR: tuple[Callable[[Pixels, float], Pixels], ...] = (_brightness, _contrast, _saturation, _hue)
