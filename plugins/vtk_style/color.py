"""Keeping the content's colours.

Source: Gatys, Bethge, Hertzmann and Shechtman, "Preserving Color in Neural Artistic Style Transfer" (2016).
"""

from __future__ import annotations

import torch
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the luma of Rec. 601, which Y of YIQ and YCbCr share."""


def luma(image: Tensor) -> Tensor:
    """Y of an RGB image (1, 3, H, W), as (1, 1, H, W)."""
    weights = torch.tensor(LUMA, dtype=image.dtype, device=image.device).view(1, 3, 1, 1)
    return (image * weights).sum(1, keepdim=True)


def grey(image: Tensor) -> Tensor:
    """An RGB image's luma in all three channels."""
    return luma(image).expand(-1, 3, -1, -1).contiguous()


def match_luma(style: Tensor, content: Tensor) -> Tensor:
    """A style's luma with the mean and standard deviation of the content's, in three equal channels (1, 3, H, W)."""
    s, c = luma(style), luma(content)
    scale = c.std() / s.std().clamp_min(1e-6)
    return ((s - s.mean()) * scale + c.mean()).expand(-1, 3, -1, -1).contiguous()


def with_luma(colours: Tensor, y: Tensor) -> Tensor:
    """``colours`` (1, 3, H, W) with its luma replaced by ``y`` (1, 1, H, W) and its chroma kept.

    Chroma, IQ of YIQ or CbCr of YCbCr alike, is linear in R − Y, G − Y and B − Y, so adding the change of luma to all
    three channels keeps it. The result is not clamped.
    """
    return colours + (y - luma(colours))


def match_covariance(style: Tensor, content: Tensor) -> Tensor:
    """A style whose colours have the content's mean and covariance.

    x' = A·(x − μ_s) + μ_c with A = L_c·L_s⁻¹, where L is the Cholesky factor of a covariance Σ = L·Lᵀ, all
    computed in float64 on the CPU. The result (1, 3, H, W) is not clamped.
    """
    (mean, source), (wanted_mean, wanted) = _moments(style), _moments(content)
    factor = _cholesky(wanted) @ torch.linalg.inv(_cholesky(source))
    shift = wanted_mean - factor @ mean
    rows = style.reshape(3, -1)
    matched = torch.addmm(shift.to(rows).unsqueeze(1), factor.to(rows), rows)
    return matched.reshape(style.shape)


def coloured_noise(like: Tensor, size: tuple[int, int], generator: torch.Generator) -> Tensor:
    """Gaussian noise (1, 3, *size) with the mean and covariance of an image's colours."""
    mean, covariance = _moments(like)
    white = torch.randn(3, size[0] * size[1], generator=generator)
    noise = torch.addmm(mean.float().unsqueeze(1), _cholesky(covariance).float(), white)
    return noise.reshape(1, 3, *size).to(like.device, like.dtype)


def _moments(image: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (3,) and covariance (3, 3) of an image's colours, in float64 on the CPU, a band of it at a time."""
    rows = image.detach().cpu().reshape(3, -1)
    count = rows.shape[1]
    mean = rows.mean(1, dtype=torch.float64)
    total = torch.zeros(3, 3, dtype=torch.float64)
    for part in torch.split(rows, 1 << 18, dim=1):
        centred = part.double() - mean.unsqueeze(1)
        total += centred @ centred.t()
    return mean, total / max(count - 1, 1)


def _cholesky(covariance: Tensor) -> Tensor:
    """The lower factor, made safe for pictures of fewer than three independent colours."""
    ridge = 1e-6 * torch.eye(3, dtype=covariance.dtype)
    factor: Tensor = torch.linalg.cholesky(covariance + ridge)
    return factor
