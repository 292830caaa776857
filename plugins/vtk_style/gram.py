"""Gram matrices of feature maps, and their gradient in closed form.

G = F·Fᵀ / (a·b·c·d) for features of shape (a, b, c, d) seen as a matrix F of a·b rows and c·d columns. For a loss
L = mean((G − A)²) the gradient is ∂L/∂F = 4·(G − A)·F / ((a·b)²·a·b·c·d): one product, where automatic differentiation
of F·Fᵀ makes two, because it does not know that G − A is symmetric.

Other programs normalise Gram matrices differently, so style weights do not carry over between them.
"""

from __future__ import annotations

import torch
from torch import Tensor

_CHUNK = 1 << 14
"""Positions whose products are summed in one matrix product; the sums of the parts are added in float64."""


def gram_matrix(features: Tensor, mask: Tensor | None = None) -> Tensor:
    """The normalised Gram matrix G = F·Fᵀ / (a·b·c·d), differentiable.

    Args:
        features: (a, b, c, d), any float type.
        mask: weights (c, d) in [0, 1] of the positions; then G = F·diag(m)·Fᵀ / (a·b·Σm), which is the plain
            definition for a mask of ones and a = 1.

    Returns:
        (a·b, a·b) in float32, or float64 for float64 features.
    """
    a, b, c, d = features.shape
    count = c * d if mask is None else mask.sum(dtype=mask.dtype)
    dtype = torch.float64 if features.dtype == torch.float64 else torch.float32
    return (gram_sum(features, mask) / (a * b * count)).to(dtype)


def gram_sum(features: Tensor, mask: Tensor | None = None) -> Tensor:
    """F·diag(m)·Fᵀ, not normalised, so that the sums of an image's tiles can be added.

    Products are taken over bands of rows and added in float64 (float32 on devices without it), so that rounding does
    not grow with the image and a band, not the image, is copied where the layout asks for a copy.

    Returns:
        (a·b, a·b) in float64, or float32 on devices that have no float64.
    """
    a, b, c, d = features.shape
    if a > 1:
        features = features.reshape(1, a * b, c, d)
    rows = max(1, _CHUNK // d)
    total = torch.zeros(a * b, a * b, dtype=wide(features.device), device=features.device)
    for top in range(0, c, rows):
        pixels = features[:, :, top : top + rows].permute(0, 2, 3, 1).reshape(-1, a * b)
        weighted = pixels
        if mask is not None:
            weighted = pixels * mask[top : top + rows].reshape(-1, 1).to(pixels.dtype)
        total = total + (weighted.t() @ pixels).to(total.dtype)
    return total


def wide(device: torch.device) -> torch.dtype:
    """The type in which sums over an image are kept."""
    return torch.float32 if device.type == "mps" else torch.float64


def add_gram_gradient(gradient: Tensor, features: Tensor, matrix: Tensor, mask: Tensor | None = None) -> None:
    """Adds S·F·diag(m) to a gradient of the features: the backward pass of :func:`gram_sum`, one product.

    It goes over bands of rows, so that no more than a band is held twice.

    Args:
        gradient: (1, b, c, d), changed in place; may be a part of a larger tensor.
        features: (1, b, c, d).
        matrix: S = ∂L/∂(F·Fᵀ) + its transpose, (b, b); symmetric, since a loss of G − A is.
        mask: as for :func:`gram_matrix`.
    """
    _, b, c, d = features.shape
    factor = matrix.to(features.dtype)
    rows = max(1, _CHUNK // d)
    for top in range(0, c, rows):
        pixels = features[0, :, top : top + rows].permute(1, 2, 0)
        if mask is not None:
            pixels = pixels * mask[top : top + rows].unsqueeze(2).to(pixels.dtype)
        target = gradient[0, :, top : top + rows].permute(1, 2, 0)
        if target.is_contiguous():
            target.view(-1, b).addmm_(pixels.reshape(-1, b), factor)
        else:
            target += (pixels.reshape(-1, b) @ factor).view(target.shape)
