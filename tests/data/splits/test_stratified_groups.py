"""Dealing out groups: never torn, never off by more than stated, no label lost to training."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.data.splits.stratified_groups import deal_groups

Shares = dict[str, float]


@st.composite
def dealt_out(draw: st.DrawFn, *, multi: bool) -> tuple[Any, npt.NDArray[np.int64], Shares, int]:
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    n, groups = draw(st.integers(1, 80)), draw(st.integers(1, 60))
    val, test = draw(st.floats(0.05, 0.45)), draw(st.floats(0.05, 0.45))
    shares = {"train": 1 - val - test, "val": val, "test": test} if draw(st.booleans()) else {"train": 1 - val}
    shares = shares if len(shares) > 1 else {"train": 1 - val, "val": val}
    # Squares make some groups far larger than others.
    group = (rng.random(n) ** 2 * groups).astype(np.int64) * 7
    width = draw(st.integers(1, 5))
    labels = (rng.random((n, width)) < rng.random(width)).astype(np.int64) if multi else rng.integers(0, width, n)
    return labels, group, shares, seed


def whole(parts: dict[str, npt.NDArray[np.int64]], n: int) -> bool:
    return np.array_equal(np.sort(np.concatenate(list(parts.values()))), np.arange(n))


def columns(targets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Which labels each sample has, those without any having one of their own; unused labels left out."""
    if targets.ndim == 1:
        return np.eye(int(targets.max()) + 1, dtype=np.int64)[:, np.unique(targets)][targets]
    return np.column_stack([targets, targets.sum(axis=1) == 0])[:, [*targets.any(axis=0), (targets.sum(1) == 0).any()]]


@pytest.mark.parametrize("multi", [False, True])
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_group_is_in_one_part_and_training_has_every_label(multi: bool, data: st.DataObject) -> None:
    targets, groups, shares, seed = data.draw(dealt_out(multi=multi))
    parts = deal_groups(targets, groups, shares, seed)
    assert whole(parts, len(groups))
    for one in parts:
        for other in parts:
            assert one == other or not set(groups[parts[one]]) & set(groups[parts[other]])
    has = columns(targets)
    assert has[parts["train"]].any(axis=0).all()
    again = deal_groups(targets, groups, shares, seed)
    assert all(np.array_equal(parts[name], again[name]) for name in parts)


@pytest.mark.parametrize("multi", [False, True])
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_the_error_is_within_that_of_chance(multi: bool, data: st.DataObject) -> None:
    """The bound of the method of conditional expectations, before a label is moved to where it would be missing."""
    targets, groups, shares, seed = data.draw(dealt_out(multi=multi))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("toolkit.data.splits.stratified_groups._Dealer.cover", lambda *_: None)
        parts = deal_groups(targets, groups, shares, seed)
    has = columns(targets) / columns(targets).sum(axis=0)
    contents = np.stack([has[groups == group].sum(axis=0) for group in np.unique(groups)])
    share = np.array(list(shares.values()))
    found = np.stack([has[parts[name]].sum(axis=0) for name in shares])
    error = float(((found - share[:, None]) ** 2).sum())
    chance = float((1 - (share**2).sum()) * (contents**2).sum())
    singles = len(share) * has.shape[1] * float((1 / columns(targets).sum(axis=0) ** 2).max())
    assert error <= chance + (0 if multi else singles) + 1e-9


@given(
    sizes=st.lists(st.lists(st.integers(1, 12), min_size=4, max_size=25), min_size=2, max_size=4),
    val=st.floats(0.1, 0.5),
    test=st.one_of(st.just(0.0), st.floats(0.1, 0.4)),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=150, deadline=None)
def test_groups_of_one_class_are_off_by_a_part_of_the_largest(
    sizes: list[list[int]], val: float, test: float, seed: int
) -> None:
    shares = {"train": 1 - val - test, "val": val} | ({"test": test} if test else {})
    numbers = np.repeat(np.arange(sum(map(len, sizes))), [size for one in sizes for size in one])
    targets = np.repeat(np.arange(len(sizes)), [sum(one) for one in sizes])
    parts = deal_groups(targets, numbers, shares, seed)
    many = len(shares)
    for label, own in enumerate(sizes):
        # What covers a label in each part moves at most one of its groups a part, and no larger one.
        allowed = max(own) * (many - 1) ** 2 / many + max(own) * (many - 1) * (len(own) <= 3 * many) + 1
        for name, share in shares.items():
            assert abs((targets[parts[name]] == label).sum() - share * sum(own)) <= allowed
            if len(own) >= many:
                assert (targets[parts[name]] == label).any()


@given(
    sizes=st.lists(st.integers(2, 40), min_size=2, max_size=6),
    folds=st.integers(2, 8),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=100, deadline=None)
def test_folds_of_single_samples_differ_by_one(sizes: list[int], folds: int, seed: int) -> None:
    targets = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    equal = {str(fold): 1 / folds for fold in range(folds)}
    parts = deal_groups(targets, np.arange(len(targets)), equal, seed, always=None)
    assert whole(parts, len(targets))
    assert np.ptp([len(part) for part in parts.values()]) <= 1
    for label in range(len(sizes)):
        assert np.ptp([(targets[part] == label).sum() for part in parts.values()]) <= 1


def test_folds_are_as_even_as_scikit_learns() -> None:
    """Over patients with several pictures of several classes: the worst share of a class in a fold."""
    from sklearn.model_selection import StratifiedGroupKFold

    def worst(folds: list[npt.NDArray[np.int64]]) -> float:
        totals = np.bincount(targets, minlength=4)
        return max(float(np.abs(np.bincount(targets[fold], minlength=4) / totals - 0.2).max()) for fold in folds)

    own, theirs = [], []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        groups = rng.integers(0, 60, 900)
        habit = rng.dirichlet([0.5, 0.4, 0.3, 0.1], 60)
        targets = np.array([rng.choice(4, p=habit[group]) for group in groups])
        equal = {str(fold): 0.2 for fold in range(5)}
        own.append(worst(list(deal_groups(targets, groups, equal, seed, always=None).values())))
        splitter = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
        theirs.append(worst([fold for _, fold in splitter.split(targets, targets, groups)]))
    assert np.mean(own) <= np.mean(theirs)


def test_other_seeds_deal_otherwise() -> None:
    targets, groups = np.arange(200) % 4, np.arange(200) // 4
    one, other = (deal_groups(targets, groups, {"train": 0.8, "val": 0.2}, seed)["val"] for seed in (1, 2))
    assert not np.array_equal(one, other)


def test_a_rare_class_is_in_training_and_validation() -> None:
    targets, groups = np.zeros(101, np.int64), np.arange(101) // 3
    targets[[0, 50]] = 1
    for seed in range(20):
        parts = deal_groups(targets, groups, {"train": 0.7, "val": 0.2, "test": 0.1}, seed)
        assert [int(targets[parts[name]].sum()) for name in ("train", "val")] == [1, 1]
