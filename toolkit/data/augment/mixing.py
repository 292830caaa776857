"""Augmentation of whole batches on the device: mixup, CutMix and random erasing.

Each draws from the batch's key alone, so workers and resuming change nothing, and leaves batches that are not training
batches as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from toolkit.types.data import Batch, BatchKey, BatchTransform

__all__ = ["Chain", "CutMix", "Mixed", "Mixup", "OneOf", "RandomErasing", "loss_targets"]


class Mixed(NamedTuple):
    """A batch whose images are mixtures.

    Args:
        inputs: float, shape (n, channels, height, width).
        targets: of the image that each mixture has most of; what training metrics compare with.
        mixture: float, shape (n, classes): what the loss compares with.
    """

    inputs: Tensor
    targets: Tensor
    mixture: Tensor


def loss_targets(batch: Batch | Mixed) -> Tensor:
    """What the loss compares with: the mixture, where the batch is mixed."""
    return batch.mixture if isinstance(batch, Mixed) else batch.targets


@dataclass(frozen=True)
class Chain:
    """Transforms one after another."""

    transforms: Sequence[BatchTransform]

    def __call__(self, batch: Batch, key: BatchKey, /) -> Batch | Mixed:
        for transform in self.transforms:
            batch = transform(batch, key)
        return batch


@dataclass(frozen=True)
class Mixup:
    """Mixes each image with another of its batch: ``λ x + (1 - λ) x'``, the targets likewise, λ from Beta(α, α).

    One λ a batch. Zhang, Cisse, Dauphin, Lopez-Paz: mixup: Beyond Empirical Risk Minimization, 2018.

    Args:
        alpha: ``α``; the larger, the nearer to halves.
        num_classes: width of the mixed targets, where they come as class indices.
    """

    alpha: float
    num_classes: int

    def __call__(self, batch: Batch, key: BatchKey, /) -> Batch | Mixed:
        """Targets are class indices (n,), or multi-hot or shares (n, classes)."""
        if not key.training:
            return batch
        rng = _rng(key, "mixup")
        share = float(rng.beta(self.alpha, self.alpha))
        other = _partners(rng, batch.inputs)
        inputs = torch.lerp(batch.inputs[other], batch.inputs, share)
        return _mixed(batch, inputs, other, share, self.num_classes)


@dataclass(frozen=True)
class CutMix:
    """Pastes a rectangle of another image of the batch; the targets are mixed by area.

    The rectangle has the image's proportions, an area of 1 - λ with λ from Beta(α, α), and a centre anywhere; what
    hangs over the edge is cut off and not counted. Yun, Han, Oh, Chun, Choe, Yoo: CutMix, 2019.

    Args:
        alpha: ``α``; 1 makes every area equally likely.
        num_classes: width of the mixed targets, where they come as class indices.
    """

    alpha: float
    num_classes: int

    def __call__(self, batch: Batch, key: BatchKey, /) -> Batch | Mixed:
        """Targets are class indices (n,), or multi-hot or shares (n, classes)."""
        if not key.training:
            return batch
        rng = _rng(key, "cutmix")
        height, width = batch.inputs.shape[-2:]
        side = float(np.sqrt(1 - rng.beta(self.alpha, self.alpha)))
        rows, columns = _span(rng, height, side), _span(rng, width, side)
        other = _partners(rng, batch.inputs)
        inputs = batch.inputs.clone(memory_format=torch.preserve_format)
        inputs[..., rows, columns] = batch.inputs[other][..., rows, columns]
        pasted = (rows.stop - rows.start) * (columns.stop - columns.start) / (height * width)
        return _mixed(batch, inputs, other, 1 - pasted, self.num_classes)


@dataclass(frozen=True)
class OneOf:
    """Applies one of its transforms to each batch, each equally often, or none.

    Args:
        transforms: what is chosen from.
        probability: share of the batches that are transformed at all.
    """

    transforms: Sequence[BatchTransform]
    probability: float = 1.0

    def __call__(self, batch: Batch, key: BatchKey, /) -> Batch | Mixed:
        """See the transforms."""
        rng = _rng(key, "choice")
        if not key.training or rng.random() >= self.probability:
            return batch
        chosen = self.transforms[int(rng.integers(len(self.transforms)))]
        mixed: Batch | Mixed = chosen(batch, key)
        return mixed


@dataclass(frozen=True)
class RandomErasing:
    """Replaces a rectangle in some images, drawn for each image by itself.

    Zhong, Zheng, Kang, Li, Yang: Random Erasing Data Augmentation, 2020.

    Args:
        probability: share of the images.
        area: least and largest share of the image's area.
        fill: ``mean`` (0, for images less their mean) or ``noise`` (normal, mean 0, deviation 1).
    """

    probability: float
    area: tuple[float, float] = (0.02, 1 / 3)
    fill: Literal["mean", "noise"] = "mean"

    # Of Zhong et al.: height over width.
    _ASPECT = (0.3, 1 / 0.3)

    def __call__(self, batch: Batch, key: BatchKey, /) -> Batch:
        """Targets stay as they are."""
        if not key.training:
            return batch
        rng = _rng(key, "erasing")
        inputs = batch.inputs.clone(memory_format=torch.preserve_format)
        for place in np.flatnonzero(rng.random(len(inputs)) < self.probability):
            region = inputs[int(place)][(..., *self._rectangle(rng, *inputs.shape[-2:]))]
            region.copy_(self._filling(rng, region))
        return batch._replace(inputs=inputs)

    def _rectangle(self, rng: np.random.Generator, height: int, width: int) -> tuple[slice, slice]:
        area = rng.uniform(*self.area) * height * width
        aspect = np.exp(rng.uniform(*np.log(self._ASPECT)))
        tall = min(max(round(np.sqrt(area * aspect)), 1), height)
        wide = min(max(round(np.sqrt(area / aspect)), 1), width)
        top, left = int(rng.integers(height - tall + 1)), int(rng.integers(width - wide + 1))
        return slice(top, top + tall), slice(left, left + wide)

    def _filling(self, rng: np.random.Generator, region: Tensor) -> Tensor:
        if self.fill == "mean":
            return torch.zeros_like(region)
        return torch.from_numpy(rng.standard_normal(tuple(region.shape), dtype=np.float32)).to(region)


_PURPOSES = {"mixup": 1, "cutmix": 2, "choice": 3, "erasing": 4}


def _rng(key: BatchKey, purpose: str) -> np.random.Generator:
    """Transforms of one batch draw independently of one another."""
    return np.random.default_rng([_PURPOSES[purpose], *key.rng().integers(2**32, size=4)])


def _partners(rng: np.random.Generator, inputs: Tensor) -> Tensor:
    return torch.from_numpy(rng.permutation(len(inputs))).to(inputs.device)


def _span(rng: np.random.Generator, length: int, share: float) -> slice:
    centre, half = int(rng.integers(length)), round(length * share) // 2
    return slice(max(centre - half, 0), min(centre + half, length))


def _mixed(batch: Batch, inputs: Tensor, other: Tensor, share: float, num_classes: int) -> Mixed:
    targets: Tensor = batch.targets
    soft = targets.float() if targets.dim() == 2 else F.one_hot(targets, num_classes).float()
    prevailing = targets if share >= 0.5 else targets[other]
    return Mixed(inputs, prevailing, torch.lerp(soft[other], soft, share))
