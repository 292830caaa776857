"""Chance as a function of (seed, epoch, index)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from toolkit.data.augment.rng import Generators, uniforms
from toolkit.types.data import IndexBatch, SampleIndex

MASK = (1 << 64) - 1


def splitmix(state: int, count: int) -> list[float]:
    """The published generator, in plain integers."""
    values = []
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        values.append(((z ^ (z >> 31)) >> 11) / (1 << 53))
    return values


@given(seed=st.integers(0, 2**32 - 1), epoch=st.integers(0, 10_000), index=st.integers(0, 2**31))
def test_a_row_depends_on_its_sample_alone(seed: int, epoch: int, index: int) -> None:
    alone = uniforms(IndexBatch(np.array([index]), seed=seed, epoch=epoch), 5)[0]
    among = uniforms(IndexBatch(np.array([3, index, 9]), seed=seed, epoch=epoch), 7)[1]
    assert np.array_equal(alone, among[:5])
    other = [(seed ^ 1, epoch, index), (seed, epoch + 1, index), (seed, epoch, index + 1)]
    for s, e, i in other:
        assert not np.array_equal(alone, uniforms(IndexBatch(np.array([i]), seed=s, epoch=e), 5)[0])


def test_rows_are_splitmix64() -> None:
    """Wherever a row starts: the first state is found by inverting nothing, only by the recurrence."""
    row = uniforms(IndexBatch(np.array([0]), seed=0, epoch=0), 4)[0]
    golden = 0x9E3779B97F4A7C15

    def mix(z: int) -> int:
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    state = mix(mix(golden) ^ mix((2 * golden) & MASK))
    assert row.tolist() == splitmix(mix(state), 4)


def test_numbers_are_uniform_and_uncorrelated() -> None:
    drawn = uniforms(IndexBatch(np.arange(50_000), seed=1, epoch=2), 4)
    assert drawn.min() >= 0
    assert drawn.max() < 1
    for column in drawn.T:
        assert stats.kstest(column, "uniform").pvalue > 1e-4
    epochs = uniforms(IndexBatch(np.arange(50_000), seed=1, epoch=3), 1)
    correlations = np.corrcoef(np.hstack([drawn, epochs, np.roll(drawn[:, :1], 1, axis=0)]).T) - np.eye(6)
    assert np.abs(correlations).max() < 5 / np.sqrt(50_000)


@given(seed=st.integers(0, 2**32 - 1), epoch=st.integers(0, 1000), index=st.integers(0, 2**31))
def test_reset_generators_draw_what_new_ones_would(seed: int, epoch: int, index: int) -> None:
    sample = SampleIndex(index, seed=seed, epoch=epoch)
    generators = Generators()
    generators.numpy.integers(0, 9, 3, dtype=np.uint8)
    generators.python.gauss(0, 1)
    generators.reset(sample)
    expected = sample.rng()
    assert generators.numpy.random(5).tolist() == expected.random(5).tolist()
    assert generators.numpy.integers(0, 100, dtype=np.uint32) == expected.integers(0, 100, dtype=np.uint32)
    first = generators.python.random(), generators.python.gauss(0, 1)
    generators.reset(sample)
    assert (generators.python.random(), generators.python.gauss(0, 1)) == first


def test_python_generators_differ_between_samples() -> None:
    generators = Generators()
    drawn = set()
    for index in range(100):
        generators.reset(SampleIndex(index, seed=5, epoch=1))
        drawn.add(generators.python.random())
    assert len(drawn) == 100
    assert np.mean(list(drawn)) == pytest.approx(0.5, abs=0.1)
