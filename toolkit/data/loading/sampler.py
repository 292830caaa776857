"""The order in which samples are drawn: a function of (seed, pass) alone, so that a run can resume anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from toolkit.errors import ExitCode, VtkError
from toolkit.types.data import IndexBatch

__all__ = ["SampleOrder"]

Indices = npt.NDArray[np.int64]

# Keeps the order of the samples apart from their augmentation, which draws from the same seed.
_PURPOSE = 0x0DDE_12ED


class SampleOrder:
    """Cuts endless passes over ``length`` samples into batches.

    Args:
        length: samples in the dataset, at least 1.
        batch_size: samples in a batch.
        seed: the run's seed.
        shuffle: a new permutation for each pass; otherwise the dataset's own order.
        weights: relative frequency of each sample, shape (length,); then each pass draws ``length`` samples with
            replacement and ``shuffle`` plays no part.
        drop_last: leave out a pass's last batch if it is not full.
        join_single: a last batch of one sample joins the one before it.
    """

    def __init__(
        self,
        length: int,
        *,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = False,
        weights: Sequence[float] | npt.NDArray[np.float64] | None = None,
        drop_last: bool = False,
        join_single: bool = False,
    ) -> None:
        if length < 1:
            raise VtkError("there are no samples to draw from")
        if drop_last and length < batch_size:
            raise VtkError(
                f"{length} samples do not fill one batch of {batch_size}, and loader.drop_last leaves out the rest",
                hint="lower train.batch_size or set loader.drop_last to false",
                code=ExitCode.RECIPE,
            )
        self.length = length
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.drop_last = drop_last
        self._single_joins = join_single and not drop_last and length > batch_size > 1 == length % batch_size
        self._probabilities = None if weights is None else _probabilities(weights, length)
        self._cached_pass = lru_cache(maxsize=2)(self._draw_pass)

    def __len__(self) -> int:
        """Batches in one pass."""
        full, rest = divmod(self.length, self.batch_size)
        return full + (rest > 0 and not self.drop_last and not self._single_joins)

    def samples(self, number: int) -> Indices:
        """The samples of pass ``number`` in order, int64, shape (length,). Not to be written to."""
        return self._cached_pass(number)

    def one_pass(self, number: int = 0) -> Iterator[IndexBatch]:
        """The batches of pass ``number``."""
        return self._batches_of(number, 0)

    def passes(self, number: int = 0, start: int = 0) -> Iterator[IndexBatch]:
        """Batches without end: pass ``number`` from batch ``start`` on, then the next passes."""
        while True:
            yield from self._batches_of(number, start)
            number, start = number + 1, 0

    def _batches_of(self, number: int, start: int) -> Iterator[IndexBatch]:
        samples, size, seed = self.samples(number), self.batch_size, self.seed
        batches = len(self)
        for batch in range(start, batches):
            end = self.length if self._single_joins and batch == batches - 1 else (batch + 1) * size
            yield IndexBatch(samples[batch * size : end], seed=seed, epoch=number)

    def _draw_pass(self, number: int) -> Indices:
        rng = np.random.default_rng([_PURPOSE, self.seed, number])
        if self._probabilities is not None:
            drawn: Indices = rng.choice(self.length, self.length, p=self._probabilities).astype(np.int64)
            return drawn
        if self.shuffle:
            return rng.permutation(self.length).astype(np.int64, copy=False)
        return np.arange(self.length, dtype=np.int64)


def _probabilities(weights: Sequence[float] | npt.NDArray[np.float64], length: int) -> npt.NDArray[np.float64]:
    values: npt.NDArray[np.float64] = np.asarray(weights, dtype=np.float64)
    if values.shape != (length,):
        raise VtkError(f"{values.size} sample weights were given for {length} samples")
    if not (np.isfinite(values).all() and (values >= 0).all() and values.sum() > 0):
        raise VtkError("sample weights must be finite, not negative and not all zero")
    return values / float(values.sum())
