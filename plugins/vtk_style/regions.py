"""Which part of the content takes its texture from which style, and what that texture is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from toolkit import ExitCode, VtkError
from vtk_style.feature_layers import FeatureLayer, receptive_field, stride_at
from vtk_style.gram import gram_sum
from vtk_style.tiling import Tiling
from vtk_style.vgg import VggFeatures


@dataclass(frozen=True)
class StyleTarget:
    """One style: its share among the styles of its region, and its Gram matrices."""

    weight: float
    grams: Mapping[FeatureLayer, Tensor]


@dataclass
class Region:
    """A part of the content with the styles that it takes.

    The region's loss at a layer is area · Σᵢ weightᵢ · mean((G − Aᵢ)²), with G the Gram matrix of the region alone. The
    factor ``area``, its share of the picture, makes a pixel's pull independent of the region's size; it is 1 without
    a mask.

    Args:
        styles: whose weights add up to 1.
        mask: (H, W) in [0, 1] at the image's size, or None for all of it.
    """

    styles: Sequence[StyleTarget]
    mask: Tensor | None = None
    _levels: dict[int, Tensor] = field(default_factory=dict)

    @property
    def area(self) -> float:
        """Share of the picture."""
        return 1.0 if self.mask is None else float(self.mask.mean())

    def mask_at(self, conv: int) -> Tensor | None:
        """The mask at a convolution's resolution: the mean over each feature's own pixels."""
        if self.mask is None:
            return None
        stride = stride_at(conv)
        if stride not in self._levels:
            self._levels[stride] = shrink_mask(self.mask, stride)
        return self._levels[stride]

    def count(self, conv: int, height: int, width: int) -> float:
        """Positions that the region has of the ``height`` × ``width`` at a convolution, feathered ones in part."""
        mask = self.mask_at(conv)
        return float(height * width) if mask is None else float(mask.sum(dtype=torch.float64))


def shrink_mask(mask: Tensor, stride: int) -> Tensor:
    """A mask (H, W) at a coarser resolution, (H // stride, W // stride).

    Raises:
        VtkError: nothing of the region is left.
    """
    small = mask if stride == 1 else F.avg_pool2d(mask[None, None], stride)[0, 0]
    if not float(small.sum()) > 0:
        raise VtkError(
            "a region mask is empty at this size",
            hint="White marks the region. Widen it, or leave the mask out.",
            code=ExitCode.DATA,
        )
    return small


@torch.no_grad()
def style_grams(
    vgg: VggFeatures, image: Tensor, taps: Sequence[FeatureLayer], mask: Tensor | None = None, tile: int | None = None
) -> dict[FeatureLayer, Tensor]:
    """A style's Gram matrices, of its image (1, 3, H, W) or of a part that ``mask`` (H, W) in [0, 1] marks.

    ``tile`` is the side of the tiles in which the features are made; None makes them at once.
    """
    height, width = image.shape[-2:]
    whole = Region([], mask)
    tiling = Tiling(height, width, tile or max(height, width), receptive_field(vgg.taps))
    sums: dict[FeatureLayer, Tensor] = {}
    for part in tiling:
        rows, columns = part.window
        features = vgg(image[..., rows, columns])
        for tap in taps:
            level = whole.mask_at(tap.conv)
            core = features[tap][(..., *part.inside(tap.conv))]
            total = gram_sum(core, None if level is None else level[part.position(tap.conv)])
            sums[tap] = sums[tap] + total if tap in sums else total
    return {tap: total / (tap.channels * whole.count(tap.conv, *tiling.shape(tap.conv))) for tap, total in sums.items()}
