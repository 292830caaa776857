"""A few bytes for each sample that tell whether it is still what it was when a run began."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

__all__ = ["GONE", "How", "Stamps", "choose_how"]

Marks = npt.NDArray[np.uint64]
How = Literal["content", "times"]

GONE = np.uint64(0)
"""The mark of a file that is not there."""

_CHEAP_BYTES = 64 << 20
_CHEAP_FILES = 4096
_THREADS = 8


@dataclass(frozen=True)
class Stamps:
    """The samples of one split.

    Args:
        names: what names each sample.
        files: where each lies; empty where they are in memory.
        pixels: the samples in memory, shape (n, ...); None where they are files.
        labels: what belongs to each, shape (n, ...), or None.
    """

    names: Sequence[str]
    files: Sequence[Path] = ()
    pixels: npt.NDArray[Any] | None = field(default=None, repr=False)
    labels: npt.NDArray[Any] | None = field(default=None, repr=False)

    def marks(self, how: How) -> Marks:
        """uint64, shape (n,): 8 bytes for each sample with its label; 0 for a file that is not there.

        Args:
            how: ``content`` reads every file, ``times`` takes its size and when it was changed.
        """
        labels = [b""] * len(self.names) if self.labels is None else [row.tobytes() for row in self.labels]
        if self.pixels is not None:
            rows = (np.ascontiguousarray(row).data for row in self.pixels)
            return np.fromiter((_mark(row, label) for row, label in zip(rows, labels, strict=True)), np.uint64)
        look = _of_content if how == "content" else _of_times
        with ThreadPoolExecutor(_THREADS) as pool:
            return np.fromiter(pool.map(look, self.files, labels), np.uint64, len(self.files))


def choose_how(splits: Sequence[Stamps]) -> How:
    """``content`` where reading every file takes a moment, else ``times``."""
    files = [file for stamps in splits for file in stamps.files]
    if len(files) > _CHEAP_FILES or sum(map(_size, files)) > _CHEAP_BYTES:
        return "times"
    return "content"


def _of_content(file: Path, label: bytes) -> np.uint64:
    try:
        content = file.read_bytes()
    except OSError:
        return GONE
    return _mark(content, label)


def _of_times(file: Path, label: bytes) -> np.uint64:
    try:
        stat = os.stat(file)
    except OSError:
        return GONE
    return _mark(f"{stat.st_size} {stat.st_mtime_ns} ".encode(), label)


def _mark(content: Any, label: bytes) -> np.uint64:
    digest = hashlib.blake2b(content, digest_size=8)
    digest.update(label)
    return np.uint64(max(int.from_bytes(digest.digest(), "little"), 1))


def _size(file: Path) -> int:
    try:
        return os.stat(file).st_size
    except OSError:
        return 0
