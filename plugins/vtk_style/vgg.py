"""VGG-19's convolutions, frozen, cut after the deepest tap, with a forward and a backward pass to the image.

The passes are written out instead of left to autograd: only the gradient of the image is wanted, every step of it is
known, and what must be kept between the two passes can be chosen. One tensor is kept for each convolution. Before
max pooling the ReLU is left out, because max pooling and ReLU commute, and a quarter of the numbers are left after it.

Source: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition" (2015).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.data import IMAGENET_MEAN, IMAGENET_STD
from vtk_style.feature_layers import FeatureLayer, pooled_after

Pooling = Literal["max", "avg"]
Inject = Callable[[FeatureLayer, Tensor, Tensor | None], Tensor]

_aten = torch.ops.aten


@dataclass
class Level:
    """What the forward pass keeps of one convolution.

    ``pre`` is its output, ``act`` that after the ReLU; each is None where nothing needs it. ``pooled`` and ``indices``
    are those of the pooling that follows, ``pooled`` after the ReLU.
    """

    pre: Tensor | None = None
    act: Tensor | None = None
    pooled: Tensor | None = None
    indices: Tensor | None = None

    @property
    def kept(self) -> Tensor:
        """The convolution's output, before its ReLU where that was kept."""
        output = self.pre if self.pre is not None else self.act
        assert output is not None
        return output


class VggFeatures(nn.Module):
    """The frozen network.

    Args:
        parameters: (weight, bias) of the convolutions in network order, at least as many as the deepest tap needs;
            weight (out, in, 3, 3), bias (out,), float32 or float64.
        taps: where features are wanted.
        pooling: ``max`` as the network was trained, ``avg`` as Gatys et al. found smoother.

    The parameters are buffers outside the state dict: checkpoints hold the image, not the network.
    """

    def __init__(
        self, parameters: Sequence[tuple[Tensor, Tensor]], taps: Iterable[FeatureLayer], pooling: Pooling = "max"
    ) -> None:
        super().__init__()
        self.taps = frozenset(taps)
        self.pooling = pooling
        self.depth = max(tap.conv for tap in self.taps)
        for conv, (weight, bias) in enumerate(parameters[: self.depth], start=1):
            self.register_buffer(f"weight_{conv}", weight.detach().clone(), persistent=False)
            self.register_buffer(f"bias_{conv}", bias.detach().clone(), persistent=False)
        self._kernels: dict[tuple[torch.dtype, torch.device], list[_Kernel]] = {}

    def forward(self, image: Tensor, dtype: torch.dtype | None = None) -> dict[FeatureLayer, Tensor]:
        """The features at the taps of an image (1, 3, H, W) in [0, 1]; no gradient flows."""
        return self.features(self.levels(image, dtype))

    def features(self, levels: Sequence[Level]) -> dict[FeatureLayer, Tensor]:
        """The taps' features among what a forward pass kept."""
        return {tap: _tapped(levels[tap.conv - 1], tap) for tap in self.taps}

    @torch.no_grad()
    def levels(self, image: Tensor, dtype: torch.dtype | None = None) -> list[Level]:
        """The forward pass. Convolutions run in ``dtype``, by default the image's own."""
        kernels = self._kernels_for(dtype or image.dtype, image.device)
        normal = (image - _per_channel(IMAGENET_MEAN, image)) / _per_channel(IMAGENET_STD, image)
        flow = normal.to(kernels[0].weight.dtype).contiguous(memory_format=torch.channels_last)
        levels = []
        for conv, kernel in enumerate(kernels, start=1):
            output = F.conv2d(flow, kernel.weight, kernel.bias, padding=1)
            level = Level(pre=output)
            if conv < self.depth or FeatureLayer(conv, "relu") in self.taps:
                level, flow = self._activate(conv, output)
            levels.append(level)
        return levels

    @torch.no_grad()
    def image_gradient(self, levels: list[Level], inject: Inject, dtype: torch.dtype) -> Tensor:
        """The backward pass, from the deepest tap to the image.

        Args:
            levels: what :meth:`levels` returned; emptied on the way, so that memory is free as soon as may be.
            inject: ``inject(tap, features, gradient)`` adds the loss's own gradient at a tap to the one that comes from
                deeper layers (None at the deepest) and returns the sum.
            dtype: of the result.

        Returns:
            The gradient of the image, (1, 3, H, W).
        """
        kernels = self._kernels_for(levels[0].kept.dtype, levels[0].kept.device)
        gradient: Tensor | None = None
        while levels:
            conv, level = len(levels), levels.pop()
            gradient = self._to_preactivation(conv, level, gradient, inject)
            if FeatureLayer(conv) in self.taps:
                assert level.pre is not None
                gradient = inject(FeatureLayer(conv), level.pre, gradient)
            assert gradient is not None
            gradient = F.conv2d(gradient, kernels[conv - 1].transposed, padding=1)
        assert gradient is not None
        gradient = gradient.to(dtype)
        return gradient / _per_channel(IMAGENET_STD, gradient)

    def _activate(self, conv: int, output: Tensor) -> tuple[Level, Tensor]:
        """ReLU and pooling; what to keep, and what flows on."""
        pools = conv < self.depth and pooled_after(conv)
        if pools and self.pooling == "max" and FeatureLayer(conv, "relu") not in self.taps:
            pooled, indices = F.max_pool2d(output, 2, return_indices=True)
            return Level(pre=output, pooled=pooled.relu_(), indices=indices), pooled
        keep_pre = FeatureLayer(conv) in self.taps
        act = output.relu() if keep_pre else output.relu_()
        level = Level(pre=output if keep_pre else None, act=act)
        if not pools:
            return level, act
        if self.pooling == "avg":
            return level, F.avg_pool2d(act, 2)
        level.pooled, level.indices = F.max_pool2d(act, 2, return_indices=True)
        return level, level.pooled

    def _to_preactivation(self, conv: int, level: Level, gradient: Tensor | None, inject: Inject) -> Tensor | None:
        """From the gradient of the next convolution's input to that of this convolution's output."""
        pools = conv < self.depth and pooled_after(conv)
        if gradient is not None and pools:
            gradient = self._unpool(level, gradient)
        if level.act is None:
            return gradient
        if FeatureLayer(conv, "relu") in self.taps:
            gradient = inject(FeatureLayer(conv, "relu"), level.act, gradient)
        return None if gradient is None else _aten.threshold_backward(gradient, level.act, 0)

    def _unpool(self, level: Level, gradient: Tensor) -> Tensor:
        like = level.act if level.act is not None else level.kept
        if self.pooling == "avg":
            spread: Tensor = _aten.avg_pool2d_backward(gradient, like, [2, 2], [2, 2], [0, 0], False, True, None)
            return spread
        assert level.pooled is not None
        gradient = _aten.threshold_backward(gradient, level.pooled, 0)
        routed: Tensor = _aten.max_pool2d_with_indices_backward(
            gradient, like, [2, 2], [2, 2], [0, 0], [1, 1], False, level.indices
        )
        return routed

    def _kernels_for(self, dtype: torch.dtype, device: torch.device) -> list[_Kernel]:
        """The convolutions' weights in one format, made once."""
        key = (dtype, device)
        if key not in self._kernels:
            pairs = [
                (getattr(self, f"weight_{conv}"), getattr(self, f"bias_{conv}")) for conv in range(1, self.depth + 1)
            ]
            self._kernels[key] = [_Kernel.of(w.to(device, dtype), b.to(device, dtype)) for w, b in pairs]
        return self._kernels[key]


@dataclass(frozen=True)
class _Kernel:
    """A convolution's weights, and those of the convolution that takes its output's gradient to its input's."""

    weight: Tensor
    bias: Tensor
    transposed: Tensor

    @classmethod
    def of(cls, weight: Tensor, bias: Tensor) -> _Kernel:
        transposed = weight.flip(2, 3).transpose(0, 1)
        packed = torch.channels_last
        return cls(weight.contiguous(memory_format=packed), bias, transposed.contiguous(memory_format=packed))


def _tapped(level: Level, tap: FeatureLayer) -> Tensor:
    kept = level.act if tap.kind == "relu" else level.pre
    assert kept is not None
    return kept


def _per_channel(values: tuple[float, float, float], like: Tensor) -> Tensor:
    return torch.tensor(values, dtype=like.dtype, device=like.device).view(1, 3, 1, 1)
