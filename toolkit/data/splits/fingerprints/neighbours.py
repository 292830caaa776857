"""All pairs of 64-bit hashes that differ in few bits, among a hundred thousand of them in seconds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

__all__ = ["near_pairs"]

Hashes = npt.NDArray[np.uint64]
Positions = npt.NDArray[np.int64]
Pairs = tuple[Positions, Positions]


def near_pairs(hashes: Hashes, distance: int) -> Iterator[Pairs]:
    """Every pair of positions whose hashes differ in at most ``distance`` bits, each pair once, in portions.

    Exact. Of ``distance + 1`` bands of bits, two such hashes agree in one at least (pigeonhole principle), so only
    hashes with an equal band are compared. Where the hashes are so alike that this compares more pairs than there are
    (as with many equal ones), all pairs are compared instead: n² / 2 comparisons are the worst case.

    Args:
        hashes: shape (n,). Equal ones are paired too; group them first where there may be many.
        distance: 0 to 63.

    Yields:
        two equally long arrays of positions.
    """
    hashes = np.ascontiguousarray(hashes, dtype=np.uint64)
    if len(hashes) < 2:
        return
    masks = _bands(distance + 1)
    orders = [np.argsort(hashes & mask, kind="stable") for mask in masks]
    work = sum(_pairs_within(hashes[order] & mask) for order, mask in zip(orders, masks, strict=True))
    if work > len(hashes) * (len(hashes) - 1) // 2:
        yield from _search(hashes, np.arange(len(hashes)), np.uint64(0), [], distance)
        return
    for number, (order, mask) in enumerate(zip(orders, masks, strict=True)):
        yield from _search(hashes, order, mask, masks[:number], distance)


def _bands(count: int) -> list[np.uint64]:
    """Masks that part the 64 bits; every ``count``-th bit, since neighbouring bits of an image hash are alike."""
    return [np.uint64(sum(1 << bit for bit in range(first, 64, count))) for first in range(count)]


def _buckets(keys: Hashes) -> tuple[Positions, Positions]:
    """Where each run of equal keys starts, and its length; ``keys`` sorted, at least one."""
    starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
    return starts, np.diff(np.append(starts, len(keys)))


def _pairs_within(keys: Hashes) -> int:
    """Pairs of equal keys; ``keys`` sorted."""
    _, sizes = _buckets(keys)
    return int((sizes * (sizes - 1) // 2).sum())


def _search(
    hashes: Hashes, order: Positions, mask: np.uint64, earlier: list[np.uint64], distance: int
) -> Iterator[Pairs]:
    """Pairs that agree under ``mask`` and under none of the ``earlier`` masks, which found theirs already.

    ``order`` sorts the hashes by the masked bits. Each hash is compared with the next one, then with the next but one,
    and so on, for all at once. Buckets lie from large to small, so those that have so distant members come first.
    """
    starts, sizes = _buckets(hashes[order] & mask)
    largest_first = np.argsort(-sizes, kind="stable")
    order = np.concatenate([order[a : a + n] for a, n in zip(starts[largest_first], sizes[largest_first], strict=True)])
    sizes = sizes[largest_first]
    ends = np.cumsum(sizes)
    values = hashes[order]
    apart, bits = np.empty_like(values), np.empty(len(values), np.uint8)
    buckets = len(sizes)
    for step in range(1, int(sizes[0])):
        while sizes[buckets - 1] <= step:
            buckets -= 1
        count = int(ends[buckets - 1]) - step
        np.bitwise_xor(values[:count], values[step : step + count], out=apart[:count])
        np.bitwise_count(apart[:count], out=bits[:count])
        if bits[:count].min() > distance:
            continue
        found = np.flatnonzero(bits[:count] <= distance)
        keep = (apart[found] & mask) == 0
        for before in earlier:
            keep &= (apart[found] & before) != 0
        if keep.any():
            yield order[found[keep]], order[found[keep] + step]
