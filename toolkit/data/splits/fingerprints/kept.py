"""Hashes of files that earlier runs read, kept in the user's cache: one file for each data folder.

An entry counts for exactly one state of a file: its path, size, times of change and inode. A file of entries that is
damaged, of another version or of another user is as good as none, and where none can be written the next run reads
again. It is written under a temporary name and renamed, so any number of runs may do so at once; the last one counts.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import stat
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolkit.data.io.file_stats import CHANGED, MODIFIED, States
from toolkit.data.io.path_table import Locations, Names
from toolkit.data.loading.cache import user_cache
from toolkit.system.files import open_new, replacing

__all__ = ["FEWEST", "Hashes", "Kept"]

Bytes16 = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]

FEWEST = 100
"""Files of one size below which nothing is kept: they are read as quickly as what is kept of them."""

_HEAD = struct.Struct("<8sQ16s")
"""Magic, number of entries, BLAKE2b of the entries."""
_MAGIC = b"vtkfpr1\n"
_ENTRY = np.dtype([("key", "<u8", 2), ("ends", "<u8", 2), ("whole", "<u8", 2)])
_SPARE = 1 << 20
"""Entries of files that this run did not look at which are kept along."""
_ROOM = 512 << 20
"""Bytes of all kept files together; those unused for longest go first."""
_TICK = 50_000_000
"""Nanoseconds within which a file may change twice and bear the same time."""
_COARSE_TICK = 2_000_000_000
"""The same on file systems that count whole seconds."""


@dataclass
class Hashes:
    """What is known of files; zeros where it is not.

    Args:
        ends: of beginning and end, uint8, shape (n, 16).
        whole: of the whole content, uint8, shape (n, 16).
    """

    ends: Bytes16
    whole: Bytes16

    @classmethod
    def none(cls, count: int) -> Hashes:
        """Nothing of so many files."""
        return cls(np.zeros((count, 16), np.uint8), np.zeros((count, 16), np.uint8))


class Kept:
    """The entries of one data folder.

    Args:
        root: the data folder.
        folder: where entries are kept; by default in the user's cache. None keeps nothing.
    """

    def __init__(self, root: str | os.PathLike[str], folder: Path | None = None) -> None:
        self._root = os.path.abspath(root)
        folder = folder or user_cache("fingerprints")
        name = hashlib.blake2b(os.fsencode(self._root), digest_size=16).hexdigest()
        self.file = None if folder is None else folder / name
        self._keys: Bytes16 | None = None
        self._entries: npt.NDArray[np.void] | None = None

    def find(self, paths: Sequence[str], states: States, places: Labels) -> Hashes:
        """What is known of the files at ``places``."""
        found = Hashes.none(len(places))
        if self.file is None or len(places) < FEWEST:
            return found
        self._entries = entries = _read(self.file)
        self._keys = _keys(self._root, paths, states, places)
        if not len(entries):
            return found
        keys = self._keys.view("<u8")
        at = np.searchsorted(entries["key"][:, 0], keys[:, 0])
        at[at == len(entries)] = 0
        same = (entries["key"][at] == keys).all(axis=1)
        for column, into in (("ends", found.ends), ("whole", found.whole)):
            into[same] = np.ascontiguousarray(entries[column][at[same]]).view(np.uint8)
        return found

    def keep(self, paths: Sequence[str], states: States, places: Labels, hashes: Hashes) -> None:
        """Writes what is known of the files at ``places`` for later runs, if it is worth it and can be done."""
        if self.file is None or len(places) < FEWEST:
            return
        keys = _keys(self._root, paths, states, places) if self._keys is None else self._keys
        settled = hashes.ends.any(axis=1) & _settled(states[places])
        entries = np.zeros(int(settled.sum()), _ENTRY)
        for column, values in (("key", keys), ("ends", hashes.ends), ("whole", hashes.whole)):
            entries[column] = np.ascontiguousarray(values[settled]).view("<u8")
        before = _read(self.file) if self._entries is None else self._entries
        if len(before) and len(entries) and _all_there(entries, before):
            with contextlib.suppress(OSError):
                os.utime(self.file)
            return
        _write(self.file, _merged(entries, before))


def _keys(root: str, paths: Sequence[str], states: States, places: Labels) -> Bytes16:
    """BLAKE2b of each file's path and state, uint8, shape (n, 16)."""
    names = Names.of(paths.names if isinstance(paths, Locations) else paths).take(places)
    start = hashlib.blake2b(os.fsencode(root) + b"\0", digest_size=16)
    known, width = states[places].tobytes(), states.itemsize * states.shape[1]
    keys = bytearray(16 * len(places))
    for row, name in enumerate(names.encoded()):
        digest = start.copy()
        digest.update(known[width * row : width * row + width] + name)
        keys[16 * row : 16 * row + 16] = digest.digest()
    return np.frombuffer(keys, np.uint8).reshape(-1, 16)


def _settled(states: States) -> npt.NDArray[np.bool_]:
    """Which files changed so long ago that another change would have given them another time."""
    times = states[:, [MODIFIED, CHANGED]]
    tick = _COARSE_TICK if not (times[:, 1] % 1_000_000_000).any() else _TICK
    settled: npt.NDArray[np.bool_] = times.max(axis=1) < time.time_ns() - tick
    return settled


def _all_there(entries: npt.NDArray[np.void], before: npt.NDArray[np.void]) -> bool:
    at = np.searchsorted(before["key"][:, 0], entries["key"][:, 0])
    at[at == len(before)] = 0
    return bool((before[at] == entries).all())


def _merged(entries: npt.NDArray[np.void], before: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
    """The entries, and of those before as many as there is room for, in the order of their keys."""
    others = before[~np.isin(before["key"][:, 0], entries["key"][:, 0])][: max(_SPARE, len(entries))]
    both = np.concatenate([entries, others])
    return both[np.argsort(both["key"][:, 0], kind="stable")]


def _read(file: Path) -> npt.NDArray[np.void]:
    """The entries; none where there is no such file, or none to be trusted."""
    nothing = np.zeros(0, _ENTRY)
    try:
        with open(file, "rb") as stream:
            state = os.fstat(stream.fileno())
            if not stat.S_ISREG(state.st_mode) or state.st_uid != getattr(os, "getuid", lambda: state.st_uid)():
                return nothing
            magic, count, digest = _HEAD.unpack(stream.read(_HEAD.size))
            content = stream.read()
    except (OSError, struct.error):
        return nothing
    sound = magic == _MAGIC and len(content) == count * _ENTRY.itemsize
    if not sound or hashlib.blake2b(content, digest_size=16).digest() != digest:
        logging.getLogger(__name__).info("the kept fingerprints in %s are damaged; files are read again", file)
        return nothing
    return np.frombuffer(content, _ENTRY)


def _write(file: Path, entries: npt.NDArray[np.void]) -> None:
    content = entries.tobytes()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as temporary, open_new(temporary) as stream:
            stream.write(_HEAD.pack(_MAGIC, len(entries), hashlib.blake2b(content, digest_size=16).digest()))
            stream.write(content)
        _make_room(file)
    except OSError as error:
        logging.getLogger(__name__).info("fingerprints are not kept in %s: %s", file, error)


def _make_room(newest: Path) -> None:
    """Removes what was unused for longest; half-written files of runs that were killed age like the others."""
    kept = []
    for file in newest.parent.iterdir():
        with contextlib.suppress(OSError):
            state = file.stat()
            kept.append((file != newest, -state.st_mtime_ns, state.st_size, file))
    total = 0
    for _, _, size, file in sorted(kept):
        total += size
        if total > _ROOM and file != newest:
            with contextlib.suppress(OSError):
                file.unlink()
