"""Sets of labels as the positions of those that are there: of the size of the labels given, not of samples × labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["MultiHot", "stacked"]

Indices = npt.NDArray[np.int64]

_AT_ONCE = 1 << 20  # elements of the dense form that are made at a time


class MultiHot:
    """A multi-hot matrix, int64 of shape (n, labels), kept as compressed sparse rows.

    One sample's row is dense, several samples are sparse again; ``np.asarray`` gives the whole matrix.

    Args:
        places: positions of the labels that each sample has, sample after sample, ascending in each.
        starts: sample i has ``places[starts[i]:starts[i + 1]]``; shape (n + 1,).
        labels: how many labels there are.
    """

    ndim = 2
    dtype = np.dtype(np.int64)

    def __init__(self, places: npt.NDArray[np.integer[Any]], starts: npt.NDArray[np.integer[Any]], labels: int) -> None:
        self.places = np.asarray(places, np.int32)
        self.starts = np.asarray(starts, np.int64)
        self.labels = labels

    @classmethod
    def of(cls, targets: MultiHot | npt.ArrayLike) -> MultiHot:
        """From a matrix of zeros and others, shape (n, labels)."""
        if isinstance(targets, MultiHot):
            return targets
        matrix = np.asarray(targets)
        rows, places = np.nonzero(matrix)
        return cls(places, np.searchsorted(rows, np.arange(len(matrix) + 1)), matrix.shape[1])

    @classmethod
    def of_sets(cls, sets: Sequence[Sequence[int]], labels: int) -> MultiHot:
        """From the positions of each sample's labels, in any order."""
        ordered = [sorted(set(one)) for one in sets]
        starts = np.concatenate([[0], np.cumsum(np.fromiter(map(len, ordered), np.int64, len(ordered)))])
        return cls(np.fromiter(chain.from_iterable(ordered), np.int32, int(starts[-1])), starts, labels)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self), self.labels

    @property
    def sizes(self) -> Indices:
        """How many labels each sample has, shape (n,)."""
        return np.diff(self.starts)

    @property
    def rows(self) -> Indices:
        """The sample of each entry of ``places``."""
        return np.repeat(np.arange(len(self)), self.sizes)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def of_sample(self, sample: int) -> npt.NDArray[np.int32]:
        """The positions of one sample's labels."""
        return self.places[self.starts[sample] : self.starts[sample + 1]]

    def __getitem__(self, key: Any) -> Any:
        """One sample's row, int64 of shape (labels,); of several samples a :class:`MultiHot`."""
        if isinstance(key, tuple):
            return np.asarray(self)[key]
        if not isinstance(key, int | np.integer):
            return self._several(np.arange(len(self))[key])
        row = np.zeros(self.labels, np.int64)
        row[self.of_sample(range(len(self))[int(key)])] = 1
        return row

    def _several(self, samples: Indices) -> MultiHot:
        sizes = self.sizes[samples]
        starts = np.concatenate([[0], np.cumsum(sizes)])
        # Each chosen sample's entries lie one after another: where they begin, and how far each is from there.
        entries = np.repeat(self.starts[samples] - starts[:-1], sizes) + np.arange(starts[-1])
        return MultiHot(self.places[entries], starts, self.labels)

    def renumbered(self, positions: Indices, labels: int) -> MultiHot:
        """The same samples under another map of ``labels``.

        Args:
            positions: where each label goes, shape (labels of this,); -1 leaves it out.
        """
        places, rows = positions[self.places], self.rows
        places, rows = places[places >= 0], rows[places >= 0]
        starts = np.searchsorted(rows, np.arange(len(self) + 1))
        return MultiHot(places[np.lexsort((places, rows))], starts, labels)

    def __iter__(self) -> Iterator[npt.NDArray[np.int64]]:
        return (self[sample] for sample in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError("the matrix has to be made")
        matrix = np.zeros(self.shape, np.int64 if dtype is None else dtype)
        matrix[self.rows, self.places] = 1
        return matrix

    def blocks(self) -> Iterator[npt.NDArray[np.int64]]:
        """The matrix, some rows at a time."""
        step = max(1, _AT_ONCE // max(1, self.labels))
        return (np.asarray(self[start : start + step]) for start in range(0, len(self), step))

    def sum(self, axis: int) -> Indices:
        """0: how many samples have each label, shape (labels,). 1: how many labels each sample has, shape (n,)."""
        return self.sizes if axis else np.bincount(self.places, minlength=self.labels).astype(np.int64)

    def any(self, axis: int) -> npt.NDArray[np.bool_]:
        """Whether :meth:`sum` is more than none."""
        return self.sum(axis) > 0

    def samples_by_label(self) -> list[Indices]:
        """The samples that have each label, ascending."""
        order = np.argsort(self.places, kind="stable")
        return np.split(self.rows[order], np.cumsum(self.sum(axis=0))[:-1])

    def tolist(self) -> list[list[int]]:
        """The matrix as lists."""
        rows: list[list[int]] = np.asarray(self).tolist()
        return rows


def stacked(parts: Sequence[Any]) -> Any:
    """Targets of several parts, one after another; sparse where one of them is."""
    if not any(isinstance(part, MultiHot) for part in parts):
        return np.concatenate(parts)
    sparse = [MultiHot.of(part) for part in parts]
    starts = np.concatenate([[0], np.cumsum(np.concatenate([part.sizes for part in sparse]))])
    return MultiHot(np.concatenate([part.places for part in sparse]), starts, sparse[0].labels)
