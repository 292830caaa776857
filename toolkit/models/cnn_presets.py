"""Shapes of plain convolutional networks, apart from the networks, so that checking a recipe needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Preset = Literal["mnist", "catsdogs", "cifar10", "lenet"]


@dataclass(frozen=True)
class CnnForm:
    """A network's shape.

    Args:
        channels: outputs of each block's convolution.
        kernel: side of the convolutions' kernels.
        padding: pixels of zeros around each convolution's input.
        pool: side and stride of the max pooling that ends each block; 1 pools nothing.
        hidden: widths of the fully connected layers before the last.
        dropout: share of the last layer's inputs that it does not see in training.
        batch_norm: normalise each convolution's output.
    """

    channels: tuple[int, ...]
    kernel: int = 3
    padding: int = 1
    pool: int = 2
    hidden: tuple[int, ...] = (128,)
    dropout: float = 0.0
    batch_norm: bool = False


PRESETS: dict[Preset, CnnForm] = {
    "mnist": CnnForm(channels=(16, 32), hidden=(128,), dropout=0.25),
    "catsdogs": CnnForm(channels=(16, 32, 64), hidden=(512,), dropout=0.5),
    "cifar10": CnnForm(channels=(16, 32), hidden=(512,)),
    # LeCun et al., "Gradient-based learning applied to document recognition" (1998), with max pooling and ReLU.
    "lenet": CnnForm(channels=(6, 16), kernel=5, padding=0, hidden=(120, 84)),
}
