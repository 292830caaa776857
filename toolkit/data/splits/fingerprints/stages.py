"""Which of many files are the same, with as little reading as can decide it.

Files of different sizes differ. Of those of one size the beginning and the end are read, and only what agrees there
too is read whole. What was read is kept for later runs (:mod:`toolkit.data.splits.fingerprints.kept`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from toolkit.data.io.file_stats import SIZE, States
from toolkit.data.io.path_table import Locations
from toolkit.data.splits.fingerprints.kept import Hashes, Kept
from toolkit.system.progress import step

__all__ = ["END", "equal_files"]

Labels = npt.NDArray[np.int64]
Read = Callable[[str, int], bytes]

END = 4096
"""Bytes at the beginning and at the end of a file that are looked at before the whole of it is."""

_NOTHING = bytes(16)
_CHUNK = 1 << 20
_AT_ONCE = 256
_OPEN = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)


def equal_files(
    paths: Sequence[str], states: States, kept: Kept | None = None, *, workers: int | None = None
) -> Labels:
    """Groups of files with equal content.

    Args:
        paths: the files.
        states: :func:`~toolkit.data.io.file_stats.file_states` of them.
        kept: what earlier runs read; is told what this one reads.
        workers: threads; by default one for each core.

    Returns:
        int64, shape (n,): for each file the position of the first that is equal. Files that are empty, missing or
        cannot be read are equal to none.
    """
    labels = np.arange(len(states), dtype=np.int64)
    places = _crowded(states[:, SIZE])
    places = places[states[places, SIZE] > 0]
    if not len(places):
        return labels
    known = Hashes.none(len(places)) if kept is None else kept.find(paths, states, places)
    sizes = states[places, SIZE]
    _fill(known.ends, paths, places, sizes, _ends, "comparing files of one size by their ends", workers)
    readable: npt.NDArray[np.bool_] = np.asarray(known.ends.any(axis=1))
    alike = _crowded_rows(sizes, known.ends, readable)
    known.whole[(sizes <= 2 * END) & readable] = known.ends[(sizes <= 2 * END) & readable]
    large = alike[sizes[alike] > 2 * END]
    whole = known.whole[large]
    _fill(whole, paths, places[large], sizes[large], _content, "comparing files that begin and end alike", workers)
    known.whole[large] = whole
    if kept is not None:
        kept.keep(paths, states, places, known)
    alike = alike[known.whole[alike].any(axis=1)]
    first = _first_equal(sizes[alike], known.whole[alike])
    labels[places[alike]] = places[alike[first]]
    return labels


def _crowded(values: npt.NDArray[np.int64]) -> Labels:
    """Positions, ascending, of the values that are there more than once."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.flatnonzero(counts[inverse.reshape(-1)] > 1).astype(np.int64)


def _crowded_rows(sizes: Labels, hashes: npt.NDArray[np.uint8], usable: npt.NDArray[np.bool_]) -> Labels:
    """Positions, ascending, of usable files that agree with another in size and hash."""
    chosen = np.flatnonzero(usable)
    first = _first_equal(sizes[chosen], hashes[chosen])
    counts = np.bincount(first, minlength=len(chosen))
    return chosen[counts[first] > 1].astype(np.int64)


def _first_equal(sizes: Labels, hashes: npt.NDArray[np.uint8]) -> Labels:
    """For each position the first with the same size and the same hash of 16 bytes."""
    if not len(sizes):
        return np.zeros(0, np.int64)
    halves = np.ascontiguousarray(hashes).view(np.uint64)
    order = np.lexsort((halves[:, 1], halves[:, 0], sizes))  # stable: equal ones stay in their order
    new = np.zeros(len(order), bool)
    new[0] = True
    for column in (sizes, halves[:, 0], halves[:, 1]):
        values = column[order]
        new[1:] |= values[1:] != values[:-1]
    first = np.empty(len(order), np.int64)
    first[order] = order[new][np.cumsum(new) - 1]
    return first


def _fill(
    hashes: npt.NDArray[np.uint8],
    paths: Sequence[str],
    places: Labels,
    sizes: Labels,
    read: Read,
    what: str,
    workers: int | None,
) -> None:
    """Reads the files whose hash is nothing yet, in threads, and writes their hashes into ``hashes``, shape (n, 16)."""
    missing = np.flatnonzero(~hashes.any(axis=1))
    if not len(missing):
        return

    def portion(start: int) -> tuple[Labels, bytes]:
        rows = missing[start : start + _AT_ONCE]
        some = paths.take(places[rows]) if isinstance(paths, Locations) else [paths[place] for place in places[rows]]
        files = zip(some, sizes[rows].tolist(), strict=True)
        return rows, b"".join([read(path, size) for path, size in files])

    starts = range(0, len(missing), _AT_ONCE)
    with (
        step(what, len(missing)) as comparing,
        ThreadPoolExecutor(workers or os.cpu_count() or 1, thread_name_prefix="vtk-compare") as pool,
    ):
        try:
            for rows, found in pool.map(portion, starts):
                hashes[rows] = np.frombuffer(found, np.uint8).reshape(-1, 16)
                comparing.more(len(rows))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _ends(path: str, size: int) -> bytes:
    """BLAKE2b, 16 bytes, of a file's beginning and end, of all of it where it is short; zeros if it cannot be read."""
    try:
        file = os.open(path, _OPEN)
    except (OSError, ValueError):
        return _NOTHING
    try:
        if size <= 2 * END:
            data = os.read(file, size + 1)
            return hashlib.blake2b(data, digest_size=16).digest() if len(data) == size else _NOTHING
        head = os.read(file, END)
        os.lseek(file, -END, os.SEEK_END)
        return hashlib.blake2b(head + os.read(file, END), digest_size=16).digest()
    except OSError:
        return _NOTHING
    finally:
        os.close(file)


def _content(path: str, _size: int) -> bytes:
    """BLAKE2b, 16 bytes, of the whole file; zeros if it cannot be read."""
    digest = hashlib.blake2b(digest_size=16)
    try:
        with open(path, "rb", buffering=0) as file:
            while data := file.read(_CHUNK):
                digest.update(data)
    except (OSError, ValueError):
        return _NOTHING
    return digest.digest()
