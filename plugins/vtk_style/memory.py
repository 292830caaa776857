"""What a stage needs, and the tiling that fits into what is free.

The figures are counted from what the code keeps alive; the test measures whole runs against them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from toolkit import ExitCode, VtkError
from vtk_style.feature_layers import CHANNELS, FeatureLayer, Field, pooled_after, stride_at
from vtk_style.tiling import Tiling
from vtk_style.vgg import Pooling

MIB = 1 << 20
SHARE = 0.8
"""Part of the free memory that a plan may use; the rest is for whatever else runs."""

MARGIN = 1.15
"""What is taken beyond the count: allocators round up, and convolutions use scratch memory."""

FIXED = 350 * MIB
"""What a run takes whatever its size: modules that are loaded on the way, threads, convolutions' code, previews."""

_SIDES = (2048, 1536, 1024, 768, 512, 384, 256, 192, 128, 96, 64, 48, 32)
_VECTOR = 3 * 4
"""Bytes a pixel of one float32 image."""


@dataclass(frozen=True)
class Demand:
    """What a stage takes on top of what the process has, in bytes.

    Args:
        step: for each pixel of the image, while steps are taken.
        begin: for each pixel of the image, while the targets are made.
        tile: for each pixel of the largest tile.
        fixed: whatever the sizes.
        pictures: what content and styles take while the targets are made.
    """

    step: float
    begin: float
    tile: float
    fixed: int = 0
    pictures: int = 0

    def bytes(self, tiling: Tiling) -> int:
        """All that a plan takes at its peak."""
        pixels, crop = tiling.height * tiling.width, max(tiling.largest_crop, _smallest_crop(tiling.field))
        image = max(self.step * pixels, self.begin * pixels + self.pictures)
        return self.fixed + round(MARGIN * (image + self.tile * crop))


def demand(
    taps: Iterable[FeatureLayer],
    content: Iterable[FeatureLayer],
    pooling: Pooling,
    *,
    item: int = 4,
    vectors: int = 5,
    pair_bytes: int = 0,
    regions: int = 0,
    pictures: int = 0,
) -> Demand:
    """What an image of any size needs.

    Args:
        taps, content: the taps, and those among them that have content targets.
        pooling: the vgg's.
        item: bytes of a feature, 4 in float32, 2 in bfloat16.
        vectors: float32 images alive while steps are taken: image, last good image, gradient, and the optimizer's.
        pair_bytes: bytes a pixel of the optimizer's curvature pairs.
        regions: masks.
        pictures: see :class:`Demand`.
    """
    taps = set(taps)
    content_bytes = sum(4 * _width(tap.conv) for tap in content)
    masks = regions * 4 * (1 + 1 / 4 + 1 / 16 + 1 / 64 + 1 / 256)
    return Demand(
        step=_VECTOR * vectors + pair_bytes + content_bytes + masks,
        begin=_VECTOR * 4 + content_bytes + masks,
        # Targets are computed in float32, forward only; steps in both directions. How many more of the widest features
        # are alive at once, convolutions' scratch memory and holes in the heap included, is measured.
        tile=_kept_bytes(taps, pooling, item) + 8 * _widest(taps) * item,
        fixed=FIXED + _kernel_bytes(taps),
        pictures=pictures,
    )


def picture_bytes(source: int, shape: tuple[int, int]) -> int:
    """What bringing a picture of ``source`` pixels to a shape takes: one channel of it, and the float image twice."""
    return 2 * 4 * source + 2 * _VECTOR * shape[0] * shape[1]


def style_tiling(tiling: Tiling, shape: tuple[int, int]) -> Tiling:
    """How a style of (height, width) ``shape`` is cut, so that it takes no more than the image's own tiles do."""
    whole = Tiling.whole(*shape, tiling.field)
    if whole.largest_crop <= tiling.largest_crop:
        return whole
    side = math.isqrt(tiling.largest_crop) - 2 * tiling.field.halo
    return Tiling(*shape, _whole_strides(max(side, _SIDES[-1]), tiling.field), tiling.field)


def _smallest_crop(field: Field) -> int:
    """Pixels of the smallest tile with its halo: a style cannot be cut further, however small the image is."""
    return (_whole_strides(_SIDES[-1], field) + 2 * field.halo) ** 2


def _whole_strides(side: int, field: Field) -> int:
    return max(side // field.stride, 1) * field.stride


def _width(conv: int) -> float:
    """Numbers at a convolution's output for each pixel of the image."""
    return CHANNELS[conv - 1] / stride_at(conv) ** 2


def _widest(taps: set[FeatureLayer]) -> float:
    return max(_width(conv) for conv in range(1, max(tap.conv for tap in taps) + 1))


def _kept_bytes(taps: set[FeatureLayer], pooling: Pooling, item: int) -> float:
    """What the forward pass keeps for each pixel."""
    depth = max(tap.conv for tap in taps)
    kept = 3.0 * item
    for conv in range(1, depth + 1):
        width = _width(conv)
        pools = conv < depth and pooled_after(conv)
        copies = 1
        if FeatureLayer(conv) in taps and (
            FeatureLayer(conv, "relu") in taps or (conv < depth and not (pools and pooling == "max"))
        ):
            copies = 2
        kept += width * copies * item
        if pools:
            kept += width / 4 * (item + (8 if pooling == "max" else 0))
    return kept


def _kernel_bytes(taps: set[FeatureLayer]) -> int:
    """The convolutions' weights, rearranged for both directions, in float32."""
    channels = (3, *CHANNELS[: max(tap.conv for tap in taps)])
    return sum(2 * 4 * 9 * a * b for a, b in pairwise(channels))


def choose_tiling(height: int, width: int, field: Field, need: Demand, free: int, wanted: int | str = "auto") -> Tiling:
    """The plan for an image.

    Args:
        wanted: ``auto`` takes the whole image if it fits and else the largest tile that does; ``whole`` and a number of
            pixels insist.

    Raises:
        VtkError: it does not fit; says what would (exit code 71).
    """
    room = SHARE * free
    sides = [_whole_strides(side, field) for side in _SIDES]
    plans = [Tiling(height, width, side, field) for side in sides if side < max(height, width)]
    whole = Tiling.whole(height, width, field)
    if wanted == "auto":
        plans = [whole, *plans]
    elif wanted == "whole":
        plans = [whole]
    else:
        side = _whole_strides(int(wanted), field)
        plans = [Tiling(height, width, side, field) if side < max(height, width) else whole]
    for plan in plans:
        if need.bytes(plan) <= room:
            return plan
    smallest = min(need.bytes(plan) for plan in plans)
    raise VtkError(
        f"{width}×{height} pixels need {smallest / MIB:,.0f} MiB, and of {free / MIB:,.0f} MiB free "
        f"{room / MIB:,.0f} may be used",
        hint=_remedy(height, width, field, need, free, str(wanted)),
        code=ExitCode.OUT_OF_MEMORY,
    )


def largest_pixels(need: Demand, field: Field, free: int) -> int:
    """Pixels of the largest image that fits with the smallest tiles."""
    left = (SHARE * free - need.fixed) / MARGIN - need.tile * _smallest_crop(field)
    return max(0, int(min(left / need.step, (left - need.pictures) / need.begin)))


def _remedy(height: int, width: int, field: Field, need: Demand, free: int, wanted: str) -> str:
    most = largest_pixels(need, field, free)
    if most >= height * width:
        return "Leave memory.tile at auto."
    longer = int(max(height, width) * (most / (height * width)) ** 0.5)
    if longer < 2 * field.stride:
        return "No size fits: end other programs, or raise the limit that this process runs under."
    return f"Up to --size {longer} fits in small tiles; a shorter optimizer.history needs less."
