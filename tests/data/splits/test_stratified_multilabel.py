"""Iterative stratification keeps each label's share where plain shuffling does not."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.data.splits.stratified_multilabel import iterative_stratification


def drawn(n: int, shares: list[float], seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random((n, len(shares))) < shares).astype(np.uint8)


@given(
    n=st.integers(1, 60),
    labels=st.integers(0, 5),
    density=st.floats(0, 1),
    val=st.floats(0.05, 0.45),
    test=st.floats(0.05, 0.45),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=80, deadline=None)
def test_every_sample_is_in_exactly_one_part(n, labels, density, val, test, seed):
    parts = iterative_stratification(drawn(n, [density] * labels, seed), {"val": val, "test": test}, seed)
    assert list(parts) == ["train", "val", "test"]
    np.testing.assert_array_equal(np.sort(np.concatenate(list(parts.values()))), np.arange(n))
    for name, share in {"val": val, "test": test, "train": 1 - val - test}.items():
        assert abs(len(parts[name]) - share * n) <= 2 + labels


def test_each_label_keeps_its_share_in_each_part():
    labels = drawn(2000, [0.5, 0.2, 0.05, 0.01])
    parts = iterative_stratification(labels, {"val": 0.2, "test": 0.1}, seed=3)
    counts = labels.sum(axis=0)
    for name, share in {"train": 0.7, "val": 0.2, "test": 0.1}.items():
        np.testing.assert_allclose(labels[parts[name]].sum(axis=0), share * counts, atol=2)


def test_rare_labels_fare_better_than_under_plain_shuffling():
    labels = drawn(1000, [0.4, 0.1, 0.01, 0.008], seed=5)
    expected = 0.2 * labels.sum(axis=0)

    def worst(seed: int, stratified: bool) -> float:
        chosen = (
            iterative_stratification(labels, {"val": 0.2}, seed)["val"]
            if stratified
            else np.random.default_rng(seed).permutation(1000)[:200]
        )
        return float((np.abs(labels[chosen].sum(axis=0) - expected) / expected).max())

    assert max(worst(s, True) for s in range(5)) < 0.25
    assert np.mean([worst(s, False) for s in range(5)]) > 0.4


def test_a_label_on_two_samples_is_in_training_and_validation():
    labels = drawn(100, [0.5, 0.0], seed=1)
    labels[[10, 20], 1] = 1
    for seed in range(10):
        parts = iterative_stratification(labels, {"val": 0.4}, seed)
        assert labels[parts["train"], 1].sum() == 1
        assert labels[parts["val"], 1].sum() == 1


def test_equal_seeds_give_equal_parts_and_others_do_not():
    labels = drawn(200, [0.3, 0.3])
    one, same, other = (iterative_stratification(labels, {"val": 0.2}, seed)["val"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert len(np.setdiff1d(one, other))


def test_samples_without_labels_are_shared_out_too():
    labels = np.zeros((100, 2), dtype=np.uint8)
    labels[:40] = 1
    parts = iterative_stratification(labels, {"val": 0.25}, seed=0)
    assert (parts["val"] >= 40).sum() == pytest.approx(15, abs=1)


def test_a_hundred_thousand_samples_take_a_second_or_two():
    labels = drawn(100_000, [0.2] * 20)
    started = time.process_time()
    iterative_stratification(labels, {"val": 0.2}, seed=0)
    assert time.process_time() - started < 5
