"""How often each class was taken for each: only the pairs that occur, so of the size of the samples, never classes²."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

__all__ = ["Confusions"]

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Confusions:
    """The entries of a confusion matrix that are not zero.

    Args:
        classes: how many there are.
        true: class position of each entry, ascending, shape (k,).
        taken: the class that it was taken for, shape (k,).
        counts: how many samples, shape (k,).
    """

    classes: int
    true: Counts
    taken: Counts
    counts: Counts

    @classmethod
    def of(cls, true: Counts, taken: Counts, classes: int) -> Confusions:
        """Counted from the true and the predicted class of each sample, both of shape (n,)."""
        pairs, counts = np.unique(true * classes + taken, return_counts=True)
        return cls(classes, pairs // classes, pairs % classes, counts)

    @cached_property
    def hits(self) -> Counts:
        """Samples of each class that were recognised, shape (classes,)."""
        right = self.true == self.taken
        return self._by_class(self.true[right], self.counts[right])

    @cached_property
    def support(self) -> Counts:
        """Samples of each class, shape (classes,)."""
        return self._by_class(self.true, self.counts)

    @cached_property
    def answered(self) -> Counts:
        """How often each class was the answer, shape (classes,)."""
        return self._by_class(self.taken, self.counts)

    @property
    def precision(self) -> Floats:
        """Of the answers with a class, the share that is right; 0 for a class that never was the answer."""
        return _share(self.hits, self.answered)

    @property
    def recall(self) -> Floats:
        """Of the samples of a class, the share that was recognised; 0 for a class without samples."""
        return _share(self.hits, self.support)

    @property
    def f1(self) -> Floats:
        """The harmonic mean of both; 0 for a class that neither occurs nor was an answer."""
        return _share(2 * self.hits, self.answered + self.support)

    def dense(self) -> Counts:
        """The whole matrix, true classes in rows; for few classes."""
        matrix = np.zeros((self.classes, self.classes), np.int64)
        matrix[self.true, self.taken] = self.counts
        return matrix

    def _by_class(self, classes: Counts, counts: Counts) -> Counts:
        return np.bincount(classes, counts, minlength=self.classes).astype(np.int64)


def _share(part: Counts, whole: Counts) -> Floats:
    shares: Floats = np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
    return shares
