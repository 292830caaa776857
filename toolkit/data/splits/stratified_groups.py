"""Dealing groups of samples out to parts that all show each label equally often; a group is never in two parts.

Groups of several samples are dealt first, the largest before the smaller ones: each goes to the part that then lacks
most of what the group holds. Single samples fill up what is left to fill. In the end a part without some label gets the
smallest group that has it, where another part can spare one; a part without anything gets the smallest to be spared.

How far a part can be off:

- Where groups hold one label each and there are two parts, a label's count in a part differs from its share by at most
  half of the label's largest group (one sample, where there are single samples enough to fill up); with P parts by at
  most (P - 1)² / P of it. What a part gets in the end so as not to lack a label comes on top.
- Whatever groups hold, the squared error, summed over parts and labels and each label's counts taken as shares of its
  total, is at most what dealing the groups out at random by the shares gives in the mean: (1 - Σ s²) Σ |v|² over groups
  with contents v. This is the method of conditional expectations (Erdős and Selfridge, 1973).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.data.multi_hot import MultiHot

__all__ = ["deal_groups"]

Indices = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_SAME = 9  # digits to which two lacks are the same


def deal_groups(
    targets: MultiHot | npt.NDArray[Any],
    groups: Indices,
    shares: Mapping[str, float],
    seed: int,
    always: str | None = "train",
) -> dict[str, Indices]:
    """Positions of each part, ascending.

    Args:
        targets: each sample's class, shape (n,), or which labels it has, shape (n, labels), 0 or 1.
        groups: equal numbers are one group, shape (n,).
        shares: part → share of the samples, in (0, 1), together 1.
        seed: equal seeds, targets and groups give equal parts.
        always: the part that has a sample of every label, even if another part thereby lacks it.
    """
    group, sizes = _numbered(groups)
    contents = _Contents(targets, group, len(sizes))
    dealer = _Dealer(contents, sizes, np.array(list(shares.values())), np.random.default_rng(seed))
    if targets.ndim == 1:
        dealer.deal(dealer.order[sizes[dealer.order] > 1])
        dealer.deal_singles()
    else:
        dealer.deal(dealer.order)
    dealer.cover(None if always is None else list(shares).index(always))
    part = dealer.part[group]
    return {name: np.flatnonzero(part == i).astype(np.int64) for i, name in enumerate(shares)}


def _numbered(groups: Indices) -> tuple[Indices, Indices]:
    """Each sample's group, numbered from 0, and the groups' sizes."""
    _, numbers, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    return numbers.reshape(-1), sizes


class _Contents:
    """How often each group holds each label; samples without any label count as having one of their own.

    Attributes:
        totals: samples with each label, shape (labels,).
        starts, labels, counts: group g holds ``labels[starts[g]:starts[g + 1]]`` as often as ``counts`` says.
    """

    def __init__(self, targets: MultiHot | npt.NDArray[Any], group: Indices, groups: int) -> None:
        if not isinstance(targets, MultiHot) and targets.ndim == 1:
            samples, labels = np.arange(len(targets)), targets.astype(np.int64)
            width = int(targets.max(initial=-1)) + 1
        else:
            sets = MultiHot.of(targets)
            bare = np.flatnonzero(sets.sizes == 0)
            samples = np.concatenate([sets.rows, bare])
            labels = np.concatenate([sets.places.astype(np.int64), np.full(len(bare), sets.labels)])
            width = sets.labels + 1
        pairs, self.counts = np.unique(group[samples] * width + labels, return_counts=True)
        self.labels = pairs % width
        self.starts = np.searchsorted(pairs // width, np.arange(groups + 1))
        self.totals = np.bincount(labels, minlength=width)

    def of(self, group: int) -> tuple[Indices, Indices]:
        """The labels of a group, and how many of its samples have each."""
        here = slice(int(self.starts[group]), int(self.starts[group + 1]))
        return self.labels[here], self.counts[here]

    def groups(self) -> Indices:
        """The group of each entry of ``labels``."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))


class _Dealer:
    """Deals groups out.

    Attributes:
        order: all groups; those that hold most, rare labels above all, come first.
        part: the part of each group, -1 while it has none.
    """

    def __init__(self, contents: _Contents, sizes: Indices, share: Floats, rng: np.random.Generator) -> None:
        self.contents = contents
        self.sizes = sizes
        self.share = share
        self.rng = rng
        self.part = np.full(len(sizes), -1)
        self._lacks = np.zeros((len(share), len(contents.totals)))
        self._weight = 1 / np.maximum(contents.totals, 1).astype(np.float64) ** 2
        heavy = contents.counts.astype(np.float64) ** 2 * self._weight[contents.labels]
        self._heavy = np.bincount(contents.groups(), heavy, minlength=len(sizes))
        shuffled = rng.permutation(len(sizes))
        self.order: Indices = shuffled[np.argsort(-self._heavy[shuffled], kind="stable")]

    def deal(self, groups: Indices) -> None:
        """Each group to the part that lacks most of what it holds, when it is added to what was dealt so far."""
        chances = self.rng.random(len(groups)).tolist()
        for group, chance in zip(groups.tolist(), chances, strict=True):
            labels, counts = self.contents.of(group)
            lacks = self._lacks[:, labels] + self.share[:, None] * counts
            gain = np.round(lacks @ (self._weight[labels] * counts) / self._heavy[group], _SAME)
            best = np.flatnonzero(gain == gain.max())
            chosen = int(best[int(chance * len(best))])
            lacks[chosen] -= counts
            self._lacks[:, labels] = lacks
            self.part[group] = chosen

    def deal_singles(self) -> None:
        """Samples of one label each that are groups by themselves: as many to each part as its share still lacks."""
        singles = self.order[self.sizes[self.order] == 1]
        labels = self.contents.labels[self.contents.starts[singles]]
        behind = self._lacks.sum(axis=1)
        for label in np.unique(labels):
            members = singles[labels == label]
            wanted = np.maximum(self._lacks[:, label] + self.share * len(members), 0)
            wanted *= len(members) / wanted.sum()
            counts = _rounded(wanted, len(members), behind)
            behind += self.share * len(members) - counts
            self.part[members] = np.repeat(np.arange(len(counts)), counts)

    def cover(self, always: int | None) -> None:
        """Moves groups to parts that lack a label, the smallest that has it."""
        holds = self._holding_groups()
        for label in [] if always is None else np.flatnonzero(holds[always] == 0).tolist():
            having = self._having(label)
            if having:
                least = min(having, key=lambda group: (self._strips(group, holds), int(self.sizes[group])))
                self._move(least, always or 0, holds)
        for part in range(len(self.share)):
            # Only where a part has two groups of a label can it give one away.
            for label in np.flatnonzero((holds[part] == 0) & (holds.max(axis=0) > 1)).tolist():
                spare = [group for group in self._having(label) if not self._strips(group, holds)]
                if spare:
                    self._move(min(spare, key=lambda group: int(self.sizes[group])), part, holds)
        self._fill_empty(always, holds)

    def _fill_empty(self, always: int | None, holds: Indices) -> None:
        """A part without any group gets the smallest that another part can spare, though it then lack a label."""
        for part in range(len(self.share)):
            owned = np.bincount(self.part, minlength=len(self.share))
            if owned[part]:
                continue
            spare = [
                group
                for group in np.flatnonzero(owned[self.part] > 1).tolist()
                if self.part[group] != always or not self._strips(group, holds)
            ]
            if spare:
                self._move(min(spare, key=lambda group: int(self.sizes[group])), part, holds)

    def _holding_groups(self) -> Indices:
        """How many groups of each part hold each label, shape (parts, labels)."""
        width = len(self.contents.totals)
        places = self.part[self.contents.groups()] * width + self.contents.labels
        counts: Indices = np.bincount(places, minlength=len(self.share) * width)
        return counts.reshape(-1, width)

    def _having(self, label: int) -> list[int]:
        found: list[int] = self.contents.groups()[self.contents.labels == label].tolist()
        return found

    def _strips(self, group: int, holds: Indices) -> bool:
        """Whether its part would lack a label without the group."""
        return bool((holds[self.part[group], self.contents.of(group)[0]] < 2).any())

    def _move(self, group: int, part: int, holds: Indices) -> None:
        labels, _ = self.contents.of(group)
        holds[self.part[group], labels] -= 1
        holds[part, labels] += 1
        self.part[group] = part


def _rounded(wanted: Floats, total: int, behind: Floats) -> Indices:
    """Whole numbers that add up to ``total``, each off by less than 1; ties go to the part that is most ``behind``."""
    counts = np.floor(np.round(wanted, _SAME)).astype(np.int64)
    rest = np.round(wanted - counts, _SAME)
    for part in np.lexsort((-behind, -rest))[: total - int(counts.sum())]:
        counts[part] += 1
    return counts
