"""A part of each split, for a quick try: no more samples than asked for, and still every class or label."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.data.multi_hot import MultiHot
from toolkit.data.sources.index import Found, Index
from toolkit.data.splits.stratified_multilabel import iterative_stratification
from toolkit.errors import ExitCode, VtkError

__all__ = ["PARTS", "limited", "limited_places"]

PARTS = ("train", "val", "test")

Indices = npt.NDArray[np.int64]


def limited(found: Found, limit: int | None, seed: int) -> Found:
    """At most ``limit`` samples of each split, in the labels' own proportions; each label that a split has, it keeps.

    Raises:
        VtkError: the limit is too low for that.
    """
    parts: dict[str, Any] = {name: getattr(found, name) for name in PARTS}
    for name, index in parts.items():
        if limit is not None and index is not None:
            chosen = limited_places(index, limit, seed, name)
            parts[name] = index if chosen is None else index.take(chosen)
    return Found(**parts)


def limited_places(
    index: Index, limit: int, seed: int, part: str, without: npt.NDArray[np.bool_] | None = None
) -> Indices | None:
    """Positions, ascending, of what the limit leaves of a split; None where that is all of it.

    Args:
        without: True for each sample that is not to be taken, shape (n,).
    """
    left = len(index) if without is None else int(len(index) - without.sum())
    if index.targets is None or left <= limit:
        return None if without is None or left == len(index) else np.flatnonzero(~without)
    banned = np.zeros(len(index), bool) if without is None else without
    choose = _of_classes if index.targets.ndim == 1 else _of_label_sets
    return choose(index.targets, limit, seed, part, banned)


def _of_classes(targets: Indices, limit: int, seed: int, part: str, banned: npt.NDArray[np.bool_]) -> Indices:
    """Positions, ascending: as many of each class as the largest remainders allot."""
    labels, sizes = np.unique(targets[~banned], return_counts=True)
    if limit < len(labels):
        raise _too_few(f"{limit} images cannot show the {len(labels)} classes of the {part} split", len(labels))
    by_label = np.argsort(targets, kind="stable")
    in_order = targets[by_label]
    starts, ends = (np.searchsorted(in_order, labels, side=side) for side in ("left", "right"))
    chosen = []
    for label, count, start, end in zip(labels, _allotted(sizes, limit), starts, ends, strict=True):
        members = by_label[start:end]
        members = members[np.random.default_rng([seed, int(label)]).permutation(len(members))]
        chosen.append(members[~banned[members]][:count])
    return np.sort(np.concatenate(chosen))


def _allotted(sizes: Indices, limit: int) -> Indices:
    """``limit`` seats in proportion to ``sizes``, one at least for each: Hamilton's method after the single seats."""
    small = np.zeros(len(sizes), dtype=bool)
    while True:
        quotas = np.where(small, 1.0, sizes * (limit - small.sum()) / max(int(sizes[~small].sum()), 1))
        below = quotas < 1
        if not below.any():
            break
        small |= below
    counts = np.floor(quotas).astype(np.int64)
    by_remainder = np.argsort(counts - quotas, kind="stable")
    counts[by_remainder[: limit - counts.sum()]] += 1
    return counts


def _of_label_sets(
    multi_hot: MultiHot | Indices, limit: int, seed: int, part: str, banned: npt.NDArray[np.bool_]
) -> Indices:
    """Positions, ascending: by iterative stratification, mended where it lost a label or took too many."""
    if banned.any():
        left = np.flatnonzero(~banned)
        return left[_of_label_sets(multi_hot[left], limit, seed, part, banned[left])]
    labels, rng = MultiHot.of(multi_hot), np.random.default_rng(seed)
    holders = labels.samples_by_label()
    kept = np.zeros(len(labels), dtype=bool)
    kept[iterative_stratification(multi_hot, {"kept": limit / len(labels)}, seed)["kept"]] = True
    for label in np.argsort(labels.sum(axis=0), kind="stable"):
        if len(holders[label]) and not kept[holders[label]].any():
            kept[rng.choice(holders[label])] = True
    shown, count = labels[kept].sum(axis=0), int(kept.sum())
    for place in rng.permutation(np.flatnonzero(kept)):
        has = labels.of_sample(place)
        if count > limit and (shown[has] > 1).all():
            kept[place] = False
            shown[has] -= 1
            count -= 1
    if count > limit:
        raise _too_few(f"{limit} images cannot show all labels of the {part} split", count)
    return np.flatnonzero(kept)


def _too_few(message: str, enough: int) -> VtkError:
    return VtkError(message, place="data.limit", hint=f"set it to {enough} or more", code=ExitCode.RECIPE)
