"""Where VGG-19 is tapped: names of layers, and what a feature there sees of the image."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from toolkit import ExitCode, VtkError

CHANNELS = (64, 64, 128, 128, 256, 256, 256, 256, 512, 512, 512, 512, 512, 512, 512, 512)
"""Output channels of conv_1 … conv_16."""

BLOCKS = (2, 2, 4, 4, 4)
"""Convolutions in each block; 2×2 pooling follows every block but the last that is used."""

_COUNTED = re.compile(r"(conv|relu)_(\d+)")
_BLOCKED = re.compile(r"(conv|relu)(\d)_(\d)")


@dataclass(frozen=True, order=True)
class FeatureLayer:
    """A place in the network.

    Args:
        conv: the convolution, counted 1 … 16 in network order.
        kind: ``conv`` is the convolution's output before its ReLU, ``relu`` the one after.
    """

    conv: int
    kind: Literal["conv", "relu"] = "conv"

    @property
    def channels(self) -> int:
        """Feature maps at this place."""
        return CHANNELS[self.conv - 1]

    def __str__(self) -> str:
        return f"{self.kind}_{self.conv}"


def _find_tap(name: str) -> FeatureLayer | None:
    counted, blocked = _COUNTED.fullmatch(name), _BLOCKED.fullmatch(name)
    conv = 0
    if counted:
        conv = int(counted[2])
    elif blocked:
        block, place = int(blocked[2]), int(blocked[3])
        if 1 <= block <= len(BLOCKS) and 1 <= place <= BLOCKS[block - 1]:
            conv = sum(BLOCKS[: block - 1]) + place
    match = counted or blocked
    if match is None or not 1 <= conv <= len(CHANNELS):
        return None
    return FeatureLayer(conv, "relu" if match[1] == "relu" else "conv")


def pooled_after(conv: int) -> bool:
    """Whether pooling stands between this convolution and the next."""
    ends = [sum(BLOCKS[: i + 1]) for i in range(len(BLOCKS))]
    return conv in ends


def stride_at(conv: int) -> int:
    """Image pixels from one feature to the next at a convolution's output."""
    return 1 << sum(pooled_after(k) for k in range(1, conv))


@dataclass(frozen=True)
class Field:
    """What the features down to some depth depend on.

    Args:
        size: side of the deepest feature's receptive field, in pixels.
        reach: pixels beyond its own stride-sized cell that it sees, at most, on either side.
        stride: pixels from one deepest feature to the next.
    """

    size: int
    reach: int
    stride: int

    @property
    def halo(self) -> int:
        """Border that makes a tile's inner features exact: the reach, rounded up to whole strides."""
        return -(-self.reach // self.stride) * self.stride


def receptive_field(taps: Iterable[FeatureLayer]) -> Field:
    """The receptive field of the deepest tap.

    A feature ``i`` at stride ``s`` depends on pixels ``s·i − left … s·i + right``. A 3×3 convolution adds ``s`` on
    both sides, a 2×2 pooling ``s`` on the right only, before it doubles the stride.
    """
    left = right = 0
    stride = 1
    deepest = max(tap.conv for tap in taps)
    for conv in range(1, deepest + 1):
        left, right = left + stride, right + stride
        if conv < deepest and pooled_after(conv):
            right, stride = right + stride, stride * 2
    return Field(left + right + 1, max(left, right - stride + 1), stride)


def parse_feature_layers(names: Sequence[str], place: str | None = None) -> list[FeatureLayer]:
    """Several taps in network order.

    Args:
        place: the recipe's key, for messages.

    Raises:
        VtkError: names are unknown, all of which are said, or one is given twice (exit code 78).
    """
    found = {name: _find_tap(name) for name in names}
    unknown = [repr(name) for name, tap in found.items() if tap is None]
    if unknown:
        raise VtkError(
            f"VGG-19 has no layer {', '.join(unknown)}",
            place=place,
            hint="Use conv_1 … conv_16 (before the ReLU), relu_1 … relu_16, or names such as relu4_2.",
            code=ExitCode.RECIPE,
        )
    taps = sorted(tap for name in names if (tap := found[name]) is not None)
    for first, second in pairwise(taps):
        if first == second:
            raise VtkError(
                f"layer {first} is tapped twice", place=place, hint="Name each layer once.", code=ExitCode.RECIPE
            )
    return taps
