"""Coarse to fine: sizes, resizing, and how an image is carried from one size to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def fitted(size: tuple[int, int], longer: int) -> tuple[int, int]:
    """(height, width) with the longer side ``longer`` and the aspect of ``size``."""
    height, width = size
    scale = longer / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def resized(image: Tensor, size: tuple[int, int]) -> Tensor:
    """An image (1, C, H, W) at another size: bicubic, with a low-pass filter where it shrinks; not clamped."""
    if tuple(image.shape[-2:]) == size:
        return image
    # A recipe's schema needs this file's arithmetic, and no torch.
    from torch.nn.functional import interpolate

    return interpolate(image, size=size, mode="bicubic", align_corners=False, antialias=True)


def refined(image: Tensor, coarse: Tensor, fine: Tensor) -> Tensor:
    """An image at the coarse content's size carried to the fine content's size.

    up(x) + (fine − up(coarse)): what the coarser size could not hold of the content is put back, instead of
    starting from a blurred image. All are (1, 3, H, W).
    """
    size = (fine.shape[-2], fine.shape[-1])
    return resized(image, size) + (fine - resized(coarse, size))


def level_sizes(size: int, levels: int, smallest: int = 64) -> list[int]:
    """Longer sides of the levels, coarse to fine, each twice the one before; none below ``smallest`` but the last."""
    sizes = [size >> k for k in reversed(range(levels))]
    return [s for s in sizes[:-1] if s >= smallest] + [size]


def shared_steps(steps: int, levels: int) -> list[int]:
    """A number of steps divided over the levels, each level half of the coarser one's, at least one each.

    Coarse steps cost a fraction of fine ones and move large shapes; measured at equal cost, halving ended lowest.
    """
    shares = [1 << k for k in reversed(range(levels))]
    spare = max(0, steps - levels)
    finer = [1 + spare * share // sum(shares) for share in shares[1:]]
    return [levels + spare - sum(finer), *finer]
