"""Duplicate groups: which pictures are one and the same, and so belong together in a split."""

from __future__ import annotations

import os
from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from toolkit.data.io.decode import ImageError, decode_bytes, read_bytes
from toolkit.data.io.file_stats import file_states
from toolkit.data.splits.fingerprints.hashes import LOOK_SIDE, Look, content_hash, look
from toolkit.data.splits.fingerprints.neighbours import near_pairs
from toolkit.data.splits.fingerprints.stages import equal_files
from toolkit.system.progress import step

__all__ = ["NEAR_DISTANCE", "NEAR_LIKENESS", "duplicate_arrays", "duplicate_groups", "equal_groups", "look_groups"]

Labels = npt.NDArray[np.int64]

NEAR_DISTANCE = 8
"""Bits of 64 by which the hashes of near duplicates differ at most."""

NEAR_LIKENESS = 0.97
"""Correlation of the thumbnails of near duplicates at least. Drawings of different animals reach 0.86, copies at 30%
JPEG quality, a third of the size, or 10% brighter stay above 0.98."""

_AT_ONCE = 8192
_FILES_AT_ONCE = 16


def duplicate_groups(
    paths: Sequence[str | os.PathLike[str]], *, near: bool = False, workers: int | None = None
) -> Labels:
    """Groups files that are the same picture.

    Args:
        paths: picture files. One that cannot be read, or that is empty, is in no group but its own.
        near: group what looks the same, too: other formats, sizes and qualities of a picture, light and contrast
            changed a little, a hair's breadth cut off. Every file is decoded. False compares the files' bytes alone,
            and reads only what can be equal.
            Groups are closed: if a is near b and b near c, all three are one group.
        workers: threads; by default one for each core.

    Returns:
        int64, shape (n,): for each file the position of the first file of its group; its own, where it has no double.
    """
    files = [os.fspath(path) for path in paths]
    if not near:
        return equal_files(files, file_states(files), workers=workers)
    read: list[tuple[bytes | None, Look | None]] = []
    portions = [files[start : start + _FILES_AT_ONCE] for start in range(0, len(files), _FILES_AT_ONCE)]
    with (
        step("looking for near copies", len(files)) as looking,
        ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool,
    ):
        for found in pool.map(_read_all, portions):
            read += found
            looking.more(len(found))
    return look_groups([seen for _, seen in read], equal_groups([content for content, _ in read]))


def duplicate_arrays(images: npt.NDArray[np.uint8], *, near: bool = False) -> Labels:
    """:func:`duplicate_groups` for pictures in memory, shape (n, height, width) or (n, height, width, 1 or 3).

    Args:
        near: group what looks the same, too; False compares the pixels alone.
    """
    equal = equal_groups([content_hash(np.ascontiguousarray(image).data.cast("B")) for image in images])
    if not near:
        return equal
    with step("looking for near copies", len(images)) as looking:
        looks = []
        for image in images:
            looks.append(look(_in_colour(image)))
            looking.more()
    return look_groups(looks, equal)


def _in_colour(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    channels = image if image.ndim == 3 else image[..., None]
    return np.ascontiguousarray(np.broadcast_to(channels, (*channels.shape[:2], 3)))


def _read_all(paths: Sequence[str]) -> list[tuple[bytes | None, Look | None]]:
    return [_read(path) for path in paths]


def _read(path: str) -> tuple[bytes | None, Look | None]:
    """Content hash and look, None where there is none."""
    try:
        data = read_bytes(path)
        if not data:
            return None, None
        return content_hash(data), look(decode_bytes(data, path, at_least=LOOK_SIDE))
    except ImageError:
        return None, None


def equal_groups(keys: Sequence[Hashable | None]) -> Labels:
    """For each key the position of the first that is equal; None equals nothing."""
    first: dict[Hashable, int] = {}
    return np.fromiter(
        (place if key is None else first.setdefault(key, place) for place, key in enumerate(keys)), np.int64, len(keys)
    )


def look_groups(looks: Sequence[Look | None], labels: Labels | None = None) -> Labels:
    """Groups of pictures that look the same.

    Near are two pictures whose hashes differ in at most ``NEAR_DISTANCE`` bits and whose thumbnails correlate by
    ``NEAR_LIKENESS`` or more. Pictures with hardly anything on them are near nothing.

    Args:
        looks: None where a picture could not be decoded.
        labels: groups known already, e.g. by content; they are kept and joined.
    """
    labels = np.arange(len(looks)) if labels is None else labels.copy()
    known = [
        None if seen is None or seen.flat else (seen.hash, content_hash(seen.thumbnail.tobytes())) for seen in looks
    ]
    distinct = equal_groups(known)
    _join(labels, np.arange(len(looks)), distinct)
    first = np.array([place for place in np.unique(distinct) if known[place] is not None], np.int64)
    chosen = [seen for place in first if (seen := looks[place]) is not None]
    if not chosen:
        return labels
    alike = _Likeness([seen.thumbnail for seen in chosen])
    with step("comparing looks", None, "pairs") as comparing:
        for left, right in near_pairs(np.array([seen.hash for seen in chosen], np.uint64), NEAR_DISTANCE):
            for start in range(0, len(left), _AT_ONCE):
                a, b = left[start : start + _AT_ONCE], right[start : start + _AT_ONCE]
                apart = labels[first[a]] != labels[first[b]]
                a, b = a[apart], b[apart]
                if len(a):
                    near = alike(a, b) >= NEAR_LIKENESS
                    _join(labels, first[a[near]], first[b[near]])
                comparing.more(len(apart))
    return labels


class _Likeness:
    """Pearson's correlation of thumbnails, all three channels together."""

    def __init__(self, thumbnails: Sequence[npt.NDArray[np.uint8]]) -> None:
        self._thumbnails = thumbnails

    def __call__(self, a: Labels, b: Labels) -> npt.NDArray[np.float32]:
        left, right = self._centred(a), self._centred(b)
        likeness: npt.NDArray[np.float32] = _dot(left, right) / np.sqrt(_dot(left, left) * _dot(right, right))
        return likeness

    def _centred(self, places: Labels) -> npt.NDArray[np.float32]:
        chosen = np.stack([self._thumbnails[place] for place in places.tolist()])
        values = chosen.reshape(len(places), -1).astype(np.float32)
        values -= values.mean(axis=1, keepdims=True)
        return values


def _dot(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    products: npt.NDArray[np.float32] = np.einsum("nk,nk->n", a, b)
    return products


def _join(labels: Labels, a: Labels, b: Labels) -> None:
    """Makes the groups of ``a[i]`` and ``b[i]`` one, in place: union-find over whole arrays.

    ``labels`` names each group by its first member, before and after.
    """
    while True:
        roots_a, roots_b = labels[a], labels[b]
        apart = roots_a != roots_b
        if not apart.any():
            return
        a, b, roots_a, roots_b = a[apart], b[apart], roots_a[apart], roots_b[apart]
        np.minimum.at(labels, np.maximum(roots_a, roots_b), np.minimum(roots_a, roots_b))
        while not np.array_equal(above := labels[labels], labels):
            labels[:] = above
