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
"""Columns summed at a time where features are in half precision, so that rounding does not grow with the image."""


def gram(features: Tensor, mask: Tensor | None = None) -> Tensor:
    """The normalised Gram matrix.

    Args:
        features: (a, b, c, d), any float type.
        mask: weights (c, d) in [0, 1] of the positions; then G = F·diag(m)·Fᵀ / (a·b·Σm), which is the plain
            definition for a mask of ones and a = 1.

    Returns:
        (a·b, a·b) in float32, or float64 for float64 features.
    """
    a, b, c, d = features.shape
    count = c * d if mask is None else mask.sum()
    return gram_sum(features, mask) / (a * b * count)


def gram_sum(features: Tensor, mask: Tensor | None = None) -> Tensor:
    """F·diag(m)·Fᵀ, not normalised, so that the sums of an image's tiles can be added."""
    a, b, c, d = features.shape
    rows = features.reshape(a * b, c * d)
    weighted = rows if mask is None else rows * mask.reshape(1, c * d).to(rows.dtype)
    if rows.dtype in (torch.float32, torch.float64):
        return weighted @ rows.t()
    total = torch.zeros(a * b, a * b, dtype=torch.float32, device=rows.device)
    for start in range(0, c * d, _CHUNK):
        part = slice(start, start + _CHUNK)
        total += (weighted[:, part] @ rows[:, part].t()).float()
    return total


def add_gram_gradient(gradient: Tensor | None, features: Tensor, matrix: Tensor, mask: Tensor | None = None) -> Tensor:
    """Adds S·F·diag(m) to a gradient of the features: the backward pass of :func:`gram_sum`, one product.

    Args:
        gradient: of the features' shape, changed in place where its layout allows; None starts a new one.
        features: (1, b, c, d).
        matrix: S = ∂L/∂(F·Fᵀ) + its transpose, (b, b); symmetric, since a loss of G − A is.
        mask: as for :func:`gram`.

    Returns:
        The sum, (1, b, c, d) in the features' type.
    """
    _, b, c, d = features.shape
    pixels = features.permute(0, 2, 3, 1).reshape(c * d, b)
    if mask is not None:
        pixels = pixels * mask.reshape(c * d, 1).to(pixels.dtype)
    factor = matrix.to(pixels.dtype)
    if gradient is None:
        product = pixels @ factor
    else:
        product = torch.addmm(gradient.permute(0, 2, 3, 1).reshape(c * d, b), pixels, factor)
    return product.reshape(1, c, d, b).permute(0, 3, 1, 2)
