"""The order of samples depends on (seed, pass) alone and can be entered anywhere."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.data.loading.sampler import SampleOrder
from toolkit.errors import VtkError
from toolkit.types.data import IndexBatch, SampleIndex


def flat(batches: list[IndexBatch]) -> list[tuple[int, int, int]]:
    return [(int(i), i.seed, i.epoch) for batch in batches for i in batch]


@given(
    length=st.integers(1, 40),
    batch_size=st.integers(1, 12),
    seed=st.integers(0, 2**32 - 1),
    number=st.integers(0, 5),
    drop_last=st.booleans(),
)
def test_a_pass_holds_every_sample_once(length: int, batch_size: int, seed: int, number: int, drop_last: bool) -> None:
    if drop_last and length < batch_size:
        return
    order = SampleOrder(length, batch_size=batch_size, seed=seed, shuffle=True, drop_last=drop_last)
    batches = list(order.one_pass(number))
    assert len(batches) == len(order)
    drawn = flat(batches)
    assert {(s, e) for _, s, e in drawn} == {(seed, number)}
    kept = length // batch_size * batch_size if drop_last else length
    assert len(drawn) == kept
    assert len({i for i, _, _ in drawn}) == kept
    assert all(len(batch) == batch_size for batch in batches[:-1])


@given(start=st.integers(0, 9), number=st.integers(0, 4), drop_last=st.booleans())
def test_passes_can_be_entered_at_any_batch(start: int, number: int, drop_last: bool) -> None:
    def order() -> SampleOrder:
        return SampleOrder(29, batch_size=3, seed=1, shuffle=True, drop_last=drop_last)

    per_pass = len(order())
    whole = list(islice(order().passes(), per_pass * 8))
    begun = number * per_pass + start % per_pass
    entered = list(islice(order().passes(number, start % per_pass), 20))
    assert flat(entered) == flat(whole[begun : begun + 20])


@given(length=st.integers(1, 60), batch_size=st.integers(1, 12))
def test_a_single_sample_that_is_left_joins_the_batch_before(length: int, batch_size: int) -> None:
    order = SampleOrder(length, batch_size=batch_size, shuffle=True, join_single=True)
    batches = list(order.one_pass())
    assert len(batches) == len(order)
    assert [len(batch) for batch in batches[:-1]] == [batch_size] * (len(batches) - 1)
    assert sorted(i for i, _, _ in flat(batches)) == list(range(length))
    assert len(batches[-1]) > 1 or 1 in (length, batch_size)
    assert len(batches[-1]) <= max(batch_size + 1, 1)
    entered = list(islice(order.passes(0, len(order) - 1), 2))
    assert flat(entered) == flat([batches[-1], next(order.one_pass(1))])


def test_a_single_sample_is_left_out_with_drop_last() -> None:
    order = SampleOrder(9, batch_size=4, drop_last=True, join_single=True)
    assert [len(batch) for batch in order.one_pass()] == [4, 4]


def test_passes_and_seeds_differ_and_repeat() -> None:
    def samples(seed: int, number: int) -> list[int]:
        return SampleOrder(100, batch_size=10, seed=seed, shuffle=True).samples(number).tolist()

    assert samples(0, 0) == samples(0, 0)
    assert samples(0, 0) != samples(0, 1)
    assert samples(0, 1) != samples(1, 0)


def test_without_shuffling_the_order_is_the_datasets() -> None:
    order = SampleOrder(5, batch_size=2)
    assert [batch.indices.tolist() for batch in order.one_pass(3)] == [[0, 1], [2, 3], [4]]


def test_weights_draw_with_replacement_at_their_frequencies() -> None:
    weights = np.array([0.0, 1.0, 3.0] * 1000)
    order = SampleOrder(3000, batch_size=64, seed=4, weights=weights)
    drawn = np.concatenate([order.samples(number) for number in range(10)])
    share = np.bincount(drawn % 3, minlength=3) / len(drawn)
    assert share[0] == 0
    assert share[2] == pytest.approx(0.75, abs=0.02)
    assert np.array_equal(order.samples(3), SampleOrder(3000, batch_size=1, seed=4, weights=weights).samples(3))


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0, 1.0], [0.0, 0.0, 0.0], [1.0, float("nan"), 1.0]])
def test_senseless_weights_are_refused(weights: list[float]) -> None:
    with pytest.raises(VtkError, match="weights"):
        SampleOrder(3, batch_size=1, weights=weights)


def test_no_samples_and_no_full_batch_are_refused() -> None:
    with pytest.raises(VtkError, match="no samples"):
        SampleOrder(0, batch_size=1)
    with pytest.raises(VtkError, match="do not fill one batch") as caught:
        SampleOrder(3, batch_size=4, drop_last=True)
    assert "drop_last" in str(caught.value.hint)


def test_an_index_batch_is_a_sequence_of_sample_indices() -> None:
    batch = IndexBatch(np.array([4, 7, 9]), seed=3, epoch=2)
    assert list(batch) == [4, 7, 9]
    assert isinstance(batch[1], SampleIndex)
    assert (batch[-1].seed, batch[-1].epoch) == (3, 2)
    assert list(batch[1:]) == [7, 9]
    assert IndexBatch.of(list(batch)).seed == 3
    assert IndexBatch.of([1, 2]).indices.tolist() == [1, 2]
