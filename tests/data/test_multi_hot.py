"""Sparse label sets answer as the dense matrix does, and take the room of the labels that are there."""

from __future__ import annotations

import tracemalloc
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from toolkit.data.loading.balance import label_rarity
from toolkit.data.multi_hot import MultiHot, stacked
from toolkit.data.sources.index import Found, ImageArrays
from toolkit.data.splits.stratified_groups import deal_groups
from toolkit.data.splits.stratified_multilabel import iterative_stratification
from toolkit.data.splits.subsample import limited
from toolkit.errors import VtkError

MATRICES = arrays.arrays(np.int64, st.tuples(st.integers(1, 24), st.integers(1, 6)), elements=st.integers(0, 1))


@given(MATRICES, st.data())
def test_under_another_map_each_column_is_where_it_is_sent(matrix: Any, data: st.DataObject) -> None:
    labels = matrix.shape[1] + 2
    kept = data.draw(st.lists(st.booleans(), min_size=matrix.shape[1], max_size=matrix.shape[1]))
    order = data.draw(st.permutations(range(labels)))[: matrix.shape[1]]
    positions = np.array([place if keep else -1 for place, keep in zip(order, kept, strict=True)], np.int64)
    expected = np.zeros((len(matrix), labels), np.int64)
    for column, place in enumerate(positions):
        if place >= 0:
            expected[:, place] = matrix[:, column]
    found = MultiHot.of(matrix).renumbered(positions, labels)
    assert found.tolist() == expected.tolist()
    assert all(found.of_sample(i).tolist() == sorted(found.of_sample(i).tolist()) for i in range(len(matrix)))


@given(MATRICES, st.data())
def test_it_answers_as_the_dense_matrix_does(matrix: Any, data: st.DataObject) -> None:
    sparse = MultiHot.of(matrix)
    chosen = data.draw(st.lists(st.integers(0, len(matrix) - 1), max_size=30))
    assert sparse.shape == matrix.shape
    assert sparse.tolist() == matrix.tolist()
    assert np.concatenate([*sparse.blocks()]).tolist() == matrix.tolist()
    assert np.asarray(sparse).dtype == sparse[0].dtype == np.int64
    for key in (np.array(chosen, np.int64), slice(1, None, 2), matrix[:, 0] > 0):
        assert sparse[key].tolist() == matrix[key].tolist()
    assert [row.tolist() for row in sparse] == matrix.tolist()
    assert sparse[-1].tolist() == matrix[-1].tolist()
    assert sparse[:, -1].tolist() == matrix[:, -1].tolist()
    for axis in (0, 1):
        assert sparse.sum(axis=axis).tolist() == matrix.sum(axis=axis).tolist()
        assert sparse.any(axis=axis).tolist() == matrix.any(axis=axis).tolist()
    assert [samples.tolist() for samples in sparse.samples_by_label()] == [
        np.flatnonzero(column).tolist() for column in matrix.T
    ]
    assert stacked([sparse, matrix]).tolist() == [*matrix.tolist(), *matrix.tolist()]
    sets = [list(reversed(np.flatnonzero(row).tolist())) for row in matrix]
    assert MultiHot.of_sets([one + one for one in sets], matrix.shape[1]).tolist() == matrix.tolist()


@given(MATRICES, st.integers(0, 9))
def test_cuts_and_draws_are_those_of_the_dense_matrix(matrix: Any, seed: int) -> None:
    sparse: Any = MultiHot.of(matrix)
    groups = np.arange(len(matrix)) // 2
    shares = {"train": 0.6, "val": 0.4}
    for cut in (
        lambda targets: deal_groups(targets, groups, shares, seed),
        lambda targets: iterative_stratification(targets, {"val": 0.3}, seed),
        lambda targets: {"rarity": label_rarity(targets)},
        lambda targets: {"limited": _kept(targets, seed)},
    ):
        one, other = cut(sparse), cut(matrix)
        assert {name: found.tolist() for name, found in one.items()} == {
            k: found.tolist() for k, found in other.items()
        }
    assert _same(iterative_stratification(sparse, {"val": 0.3}, seed), _stratified_densely(matrix, {"val": 0.3}, seed))
    counts = matrix.sum(axis=0)
    rarity = [max([1.0, *(counts.max() / counts[row > 0])]) for row in matrix]
    assert label_rarity(sparse).tolist() == pytest.approx(rarity)


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one[name].tolist() == other[name].tolist() for name in one)


def _kept(targets: Any, seed: int) -> Any:
    images = np.zeros((len(targets), 1, 1), np.uint8)
    names = tuple(map(str, range(len(targets))))
    try:
        cut = limited(Found(ImageArrays(images, targets, names=names)), max(1, len(targets) // 2), seed)
    except VtkError as error:
        return np.array([str(error)])
    return np.array(cut.train.keys)


def _stratified_densely(matrix: Any, shares: Mapping[str, float], seed: int) -> dict[str, Any]:
    """Sechidis' algorithm on the matrix itself, a sample at a time."""
    rng, share = np.random.default_rng(seed), np.array([1 - sum(shares.values()), *shares.values()])
    part, lacks, lacks_label = np.full(len(matrix), -1), len(matrix) * share, np.outer(share, matrix.sum(axis=0))
    while True:
        left = matrix[part < 0].sum(axis=0)
        label = int(np.where(left > 0, left, len(matrix) + 1).argmin()) if left.any() else None
        samples = np.flatnonzero((part < 0) & (matrix[:, label] > 0)) if label is not None else np.flatnonzero(part < 0)
        if len(samples):
            samples = rng.permutation(samples)
            for sample, tie in zip(samples, rng.random((len(samples), len(share))), strict=True):
                wish = lacks if label is None else lacks_label[:, label]
                chosen = max(range(len(share)), key=lambda p: (wish[p], lacks[p], tie[p]))
                part[sample], lacks[chosen] = chosen, lacks[chosen] - 1
                lacks_label[chosen] -= matrix[sample]
        if label is None:
            return {name: np.flatnonzero(part == i) for i, name in enumerate(["train", *shares])}


def test_many_labels_take_no_room_that_is_not_used() -> None:
    sets = [[sample % 5000, (sample * 7) % 5000] for sample in range(20_000)]
    tracemalloc.start()
    sparse = MultiHot.of_sets(sets, 5000)
    cut = iterative_stratification(sparse, {"val": 0.2}, 0)
    parts = [sparse[chosen] for chosen in cut.values()]
    label_rarity(parts[0])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sparse.places.nbytes + sparse.starts.nbytes < 20 * len(sets)
    assert peak < 20_000 * 5000 / 4  # a quarter of one byte for each sample and label
