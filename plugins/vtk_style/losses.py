"""The terms of the objective, as plain definitions: tensors in, a differentiable number out.

Total = w_c · content + w_s · Σ_layers style + w_tv · TV. The plugin evaluates the same terms tile by tile (see
:mod:`vtk_style.objective`) and is tested against these.
"""

from __future__ import annotations

import math
from typing import Literal

from torch import Tensor

TvKind = Literal["l2", "l1"]


def content_loss(features: Tensor, target: Tensor) -> Tensor:
    """mean((F − P)²) over all elements of two feature maps of one shape."""
    return (features - target).square().mean()


def style_loss(gram: Tensor, target: Tensor) -> Tensor:
    """mean((G − A)²) over all elements of two Gram matrices (b, b), see :func:`vtk_style.gram.gram_matrix`."""
    return (gram - target).square().mean()


def total_variation(image: Tensor, kind: TvKind = "l2") -> Tensor:
    """How rough an image (1, 3, H, W) is, from its forward differences dx and dy.

    ``l2`` is mean(dx²) + mean(dy²), ``l1`` is mean(|dx|) + mean(|dy|). Each mean goes over the differences that exist:
    3·H·(W − 1) of dx and 3·(H − 1)·W of dy; a direction without any counts as zero.
    """
    *planes, height, width = image.shape
    dx, dy = variation_sums(image, height, width, kind)
    count = math.prod(planes)
    return dx / max(count * height * (width - 1), 1) + dy / max(count * (height - 1) * width, 1)


def variation_sums(image: Tensor, rows: int, columns: int, kind: TvKind) -> tuple[Tensor, Tensor]:
    """Sums over dx and dy of the differences that begin in the first ``rows`` × ``columns`` pixels."""
    dx = image[..., :rows, 1 : columns + 1] - image[..., :rows, : min(columns, image.shape[-1] - 1)]
    dy = image[..., 1 : rows + 1, :columns] - image[..., : min(rows, image.shape[-2] - 1), :columns]
    if kind == "l1":
        return dx.abs().sum(), dy.abs().sum()
    return dx.square().sum(), dy.square().sum()
