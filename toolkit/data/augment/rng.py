"""Chance as a function of (seed, epoch, index): for one sample, and for a whole batch at once."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.types.data import IndexBatch, SampleIndex

__all__ = ["Generators", "uniforms"]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def uniforms(batch: IndexBatch, count: int) -> npt.NDArray[np.float64]:
    """``count`` numbers in [0, 1) for each sample of a batch, shape (len(batch), count).

    SplitMix64 (Steele, Lea and Flood, 2014) with a counter: the state is a hash of (seed, epoch, index), the columns
    are its successive outputs. A sample's row does not depend on the batch that it is in.
    """
    with np.errstate(over="ignore"):
        start = _mix(np.uint64(batch.seed) + _GOLDEN)
        start = _mix(start ^ _mix(np.uint64(batch.epoch) + _GOLDEN * np.uint64(2)))
        state = _mix(start ^ (batch.indices.astype(np.uint64) * _GOLDEN))
        steps = np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN
        bits: npt.NDArray[np.uint64] = _mix(state[:, None] + steps)
    return (bits >> np.uint64(11)) * np.float64(2.0**-53)


def _mix(z: Any) -> Any:
    """SplitMix64's finaliser, a bijection of 64-bit words."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


class Generators:
    """One numpy and one Python generator, put to a sample's own state before each use.

    ``numpy`` then draws exactly what ``SampleIndex.rng()`` would, but resetting costs a sixth of making a new one.
    """

    def __init__(self) -> None:
        self._philox = np.random.Philox(key=0)
        self.numpy = np.random.Generator(self._philox)
        self.python = random.Random(0)

    def reset(self, index: SampleIndex) -> None:
        key = index.key
        self._philox.state = {
            "bit_generator": "Philox",
            "state": {
                "counter": np.zeros(4, np.uint64),
                "key": np.array([key & 0xFFFF_FFFF_FFFF_FFFF, key >> 64], np.uint64),
            },
            "buffer": np.zeros(4, np.uint64),
            "buffer_pos": 4,
            "has_uint32": 0,
            "uinteger": 0,
        }
        self.python.seed(key)
