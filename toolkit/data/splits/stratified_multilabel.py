"""Cutting samples with sets of labels into parts that all show each label equally often."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.data.multi_hot import MultiHot

__all__ = ["iterative_stratification"]

Indices = npt.NDArray[np.int64]


def iterative_stratification(
    multi_hot: MultiHot | npt.NDArray[Any], shares: Mapping[str, float], seed: int
) -> dict[str, Indices]:
    """Positions of each part, ascending: the named shares, and the rest as ``train``.

    The label with the fewest samples left is dealt out first, each of its samples to the part that still lacks it most;
    what carries no label is dealt out last. Sechidis, Tsoumakas, Vlahavas: On the Stratification of Multi-Label Data,
    2011.

    Args:
        multi_hot: which labels each sample has, shape (n, labels), 0 or 1.
        shares: part → share of the samples, in (0, 1), together below 1.
        seed: equal seeds and labels give equal parts.
    """
    labels = MultiHot.of(multi_hot)
    holders = labels.samples_by_label()
    names = ["train", *shares]
    share = np.array([1 - sum(shares.values()), *shares.values()])
    dealer = _Dealer(labels, share, np.random.default_rng(seed))
    counts = labels.sum(axis=0)
    while (left := np.where(counts > 0, counts, np.iinfo(np.int64).max)).size and counts.any():
        label = int(left.argmin())
        samples = holders[label][dealer.part[holders[label]] < 0]
        dealer.deal(samples, label)
        counts = counts - labels[samples].sum(axis=0)
    dealer.deal(np.flatnonzero(dealer.part < 0), None)
    return {name: np.flatnonzero(dealer.part == i).astype(np.int64) for i, name in enumerate(names)}


class _Dealer:
    """Remembers how many samples of each label each part still lacks.

    Plain lists, because a part has to be chosen for one sample after another and numpy costs more than it does there.

    Attributes:
        part: the part of each sample, -1 while it has none.
    """

    def __init__(self, labels: MultiHot, share: npt.NDArray[np.float64], rng: np.random.Generator) -> None:
        self.labels = labels
        self.rng = rng
        self.part = np.full(len(labels), -1)
        self._lacks: list[float] = (len(labels) * share).tolist()
        self._lacks_label: list[list[float]] = np.outer(share, labels.sum(axis=0)).tolist()

    def deal(self, samples: Indices, label: int | None) -> None:
        """Give each sample to the part that most lacks the label, then to the one that most lacks samples."""
        if not len(samples):
            return
        samples = self.rng.permutation(samples)
        owned = map(self.labels.of_sample, samples.tolist())
        lacks, lacks_label = self._lacks, self._lacks_label
        parts = range(len(lacks))
        chosen = []
        for has, tie in zip(owned, self.rng.random((len(samples), len(lacks))).tolist(), strict=True):
            part = max(parts, key=lambda p: (lacks[p] if label is None else lacks_label[p][label], lacks[p], tie[p]))
            chosen.append(part)
            lacks[part] -= 1
            of_part = lacks_label[part]
            for column in has.tolist():
                of_part[column] -= 1
        self.part[samples] = chosen
