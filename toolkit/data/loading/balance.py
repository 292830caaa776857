"""Remedies for classes of unequal size: weights for the loss, and draws for the sampler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from toolkit.data.loading.bad_images import Incomplete, Skipped, incomplete, is_empty
from toolkit.data.multi_hot import MultiHot
from toolkit.types.data import IndexBatch, SampleIndex

__all__ = [
    "Draw",
    "EpochDraw",
    "Resampled",
    "effective_number",
    "inverse_frequency",
    "label_rarity",
    "positive_weights",
    "resampled",
]

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Draw = Literal["weighted", "oversample", "undersample"]

# Keeps the draws apart from other randomness of the same seed.
_PURPOSE = 0xBA1A_4CE5
# A repeated sample is augmented as if it came in a run of another seed.
_COPY_SEEDS, _SEEDS = 0x9E3779B97F4A7C15, 1 << 64


def inverse_frequency(counts: Sequence[int] | npt.NDArray[np.int64]) -> Floats:
    """``N / (K n_c)`` for each of K classes: their mean over the samples is 1. A class without samples gets 0."""
    n = np.asarray(counts, dtype=np.float64)
    weights: Floats = np.divide(n.sum(), len(n) * n, out=np.zeros_like(n), where=n > 0)
    return weights


def effective_number(counts: Sequence[int] | npt.NDArray[np.int64], beta: float = 0.999) -> Floats:
    """``(1 - β) / (1 - β^n_c)``, scaled to a mean of 1 over the samples; a class without samples gets 0.

    Between no weights (``β = 0``) and the inverse frequency (``β → 1``), because the more samples a class has, the less
    a further one adds. Cui, Jia, Lin, Song, Belongie: Class-Balanced Loss Based on Effective Number of Samples, 2019.
    """
    n = np.asarray(counts, dtype=np.float64)
    effective = -np.expm1(n * np.log(beta)) / (1 - beta) if beta > 0 else np.minimum(n, 1.0)
    weights = np.divide(1.0, effective, out=np.zeros_like(n), where=n > 0)
    scaled: Floats = weights * n.sum() / (weights * n).sum()
    return scaled


def positive_weights(positives: Sequence[int] | npt.NDArray[np.int64], total: int) -> Floats:
    """``negatives / positives`` for each label: then its positives weigh as much as its negatives.

    A label without positives gets 1, for there is nothing to weigh.
    """
    n = np.asarray(positives, dtype=np.float64)
    weights: Floats = np.divide(total - n, n, out=np.ones_like(n), where=n > 0)
    # A label on every image would have its positives erased from the loss.
    return np.where(weights > 0, weights, 1.0)


def label_rarity(multi_hot: MultiHot | npt.NDArray[Any]) -> Floats:
    """For each image, how much rarer its rarest label is than the commonest: shape (n, labels) → (n,), each ≥ 1.

    An image without labels counts like one that has only the commonest.
    """
    present = MultiHot.of(multi_hot)
    counts = present.sum(axis=0).astype(np.float64)
    rarity = np.divide(counts.max(initial=0.0), counts, out=np.ones_like(counts), where=counts > 0)
    per_image: Floats = np.ones(len(present))
    np.maximum.at(per_image, present.rows, rarity[present.places])
    return per_image


class EpochDraw:
    """Which samples an epoch shows, a function of (seed, epoch) alone.

    ``weighted``
        As many draws as there are samples, with replacement, in proportion to ``weights``.
    ``oversample``
        Every class has as many draws as the largest: each of its samples equally often, or once more.
    ``undersample``
        Every class has as many draws as the smallest, without replacement; other epochs show other samples.

    Args:
        kind: see above.
        classes: class of each sample, for over- and undersampling, shape (n,).
        weights: relative frequency of each sample, for ``weighted``, shape (n,).
    """

    def __init__(
        self,
        kind: Draw,
        *,
        classes: Sequence[int] | Indices | None = None,
        weights: Sequence[float] | Floats | None = None,
    ) -> None:
        self.kind = kind
        self._members: list[Indices] = []
        self._probabilities: Floats | None = None
        self._latest: tuple[tuple[int, int], Indices, Indices] | None = None
        if kind == "weighted":
            w = np.asarray(weights, dtype=np.float64)
            self._probabilities = w / w.sum()
            self._length = len(w)
            return
        labels = np.asarray(classes)
        self._members = [np.flatnonzero(labels == c).astype(np.int64) for c in np.unique(labels)]
        sizes = [len(members) for members in self._members]
        self._each = max(sizes) if kind == "oversample" else min(sizes)
        self._length = self._each * len(sizes)

    def __len__(self) -> int:
        """Draws in an epoch."""
        return self._length

    def samples(self, seed: int, epoch: int) -> tuple[Indices, Indices]:
        """The samples that an epoch draws, and how often each was drawn before in it; both int64, shape (len,)."""
        latest = self._latest
        if latest is None or latest[0] != (seed, epoch):
            drawn = self._draw(np.random.default_rng([_PURPOSE, seed, epoch]))
            # One assignment, so that threads at worst draw the same thing twice.
            latest = self._latest = ((seed, epoch), drawn, _repetitions(drawn))
        return latest[1], latest[2]

    def _draw(self, rng: np.random.Generator) -> Indices:
        if self._probabilities is not None:
            return rng.choice(self._length, self._length, p=self._probabilities).astype(np.int64, copy=False)
        return rng.permutation(np.concatenate([_evenly(rng, members, self._each) for members in self._members]))


class Resampled:
    """A dataset as an :class:`EpochDraw` shows it. A sample that comes up again within an epoch is augmented anew.

    Args:
        dataset: map-style, indexed with :class:`SampleIndex`.
        draw: position in the epoch → sample.
    """

    def __init__(self, dataset: Any, draw: EpochDraw) -> None:
        self.dataset = dataset
        self.draw = draw
        self.in_memory = bool(getattr(dataset, "in_memory", False))
        self.thread_safe = bool(getattr(dataset, "thread_safe", False))

    def __len__(self) -> int:
        return len(self.draw)

    def __getitem__(self, index: int) -> Any:
        seed, epoch = getattr(index, "seed", 0), getattr(index, "epoch", 0)
        samples, copies = self.draw.samples(seed, epoch)
        sample, copy = int(samples[int(index)]), int(copies[int(index)])
        return self.dataset[SampleIndex(sample, seed=_seed(seed, copy), epoch=epoch)]


class ResampledBatches(Resampled):
    """:class:`Resampled` over a dataset that fetches whole batches."""

    def __getitems__(self, indices: Sequence[int]) -> Any:
        """Fetched from the dataset one repetition at a time, and put back in order."""
        batch = IndexBatch.of(indices)
        samples, copies = self.draw.samples(batch.seed, batch.epoch)
        samples, copies = samples[batch.indices], copies[batch.indices]
        parts, places = [], []
        skipped: list[Skipped] = []
        for copy in np.unique(copies):
            chosen = np.flatnonzero(copies == copy)
            seed = _seed(batch.seed, int(copy))
            part = self.dataset.__getitems__(IndexBatch(samples[chosen], seed=seed, epoch=batch.epoch))
            if isinstance(part, Incomplete):
                skipped += part.skipped
                chosen = chosen[list(part.places)]
            parts.append(part)
            places.append(chosen)
        placed = np.concatenate(places)
        joined = _joined([part for part in parts if not is_empty(part)] or parts[:1], np.argsort(placed))
        return incomplete(joined, np.sort(placed).tolist(), skipped) if skipped else joined


def resampled(dataset: Any, draw: EpochDraw) -> Resampled:
    """The dataset as ``draw`` shows it, by whole batches where the dataset does so."""
    return (ResampledBatches if hasattr(dataset, "__getitems__") else Resampled)(dataset, draw)


def _seed(seed: int, copy: int) -> int:
    """A seed of its own for each repetition of a sample within an epoch: an odd step meets all 2⁶⁴ before one again."""
    return (seed + copy * _COPY_SEEDS) % _SEEDS


def _evenly(rng: np.random.Generator, members: Indices, count: int) -> Indices:
    """``count`` draws in which no member comes up two times more often than another."""
    whole, rest = divmod(count, len(members))
    return np.concatenate([np.tile(members, whole), rng.permutation(members)[:rest]])


def _repetitions(drawn: Indices) -> Indices:
    """For each draw, how many equal ones went before."""
    order = np.argsort(drawn, kind="stable")
    grouped = drawn[order]
    is_first = np.concatenate([[True], grouped[1:] != grouped[:-1]])
    starts = np.flatnonzero(is_first)
    copies = np.empty_like(drawn)
    copies[order] = np.arange(len(drawn)) - starts[np.cumsum(is_first) - 1]
    return copies


def _joined(parts: list[Any], order: npt.NDArray[np.intp]) -> Any:
    """Parts of a batch (lists of samples, or tuples of tensors) as one, in ``order``."""
    if isinstance(parts[0], list):
        flat = [sample for part in parts for sample in part]
        return [flat[i] for i in order]
    import torch

    columns = [torch.cat(column)[torch.from_numpy(order)] for column in zip(*parts, strict=True)]
    kind = type(parts[0])
    return kind(*columns) if hasattr(kind, "_fields") else kind(columns)
