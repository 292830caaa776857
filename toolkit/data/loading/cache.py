"""Where decoded pictures are kept, so that each is decoded once: in memory, or in files that runs share.

A store gives back exactly what was put in, or nothing; it never changes what a run sees. Files are written under a
temporary name and renamed, so any number of runs and workers may fill the same folder at once.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
import mmap
import os
import re
import shutil
import struct
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, overload

import numpy as np
import numpy.typing as npt

from toolkit.errors import ExitCode, VtkError
from toolkit.system.files import open_new, replacing
from toolkit.system.home import expanded
from toolkit.system.home import user_cache as home_cache

__all__ = [
    "DiskStore",
    "MemoryStore",
    "PictureKeys",
    "PlaceKeys",
    "Store",
    "cache_folder",
    "own_group",
    "require_cache",
    "trim",
    "user_cache",
]

Pixels = npt.NDArray[np.uint8]

_VERSION = 3
_KEY_BYTES = 20
_HEAD = struct.Struct("<8sIIII")
"""Magic, height, width, channels, CRC-32 of the pixels."""
_MAGIC = b"vtkpix1\n"
_USED = "used"
_GROUP = re.compile("[0-9a-f]{16}")
_ABANDONED = 3600.0
_RESERVE = 2e9


class Store(Protocol):
    """Pictures by key."""

    def get(self, key: str) -> Pixels | None:
        """The picture, not to be written to; None where it is not kept."""

    def put(self, key: str, pixels: Pixels) -> None: ...


class MemoryStore:
    """Pictures in this process's memory, for threads; another process would not see them, and is refused."""

    def __init__(self) -> None:
        self._kept: dict[str, Pixels] = {}

    def get(self, key: str) -> Pixels | None:
        return self._kept.get(key)

    def put(self, key: str, pixels: Pixels) -> None:
        whole = np.array(pixels)  # a part of a larger picture would keep all of it
        whole.flags.writeable = False
        self._kept[key] = whole

    def __reduce__(self) -> tuple[Any, ...]:
        raise VtkError(
            "data.cache: ram keeps pictures in one process's memory, which worker processes do not share",
            hint="set loader.kind to thread, or data.cache to disk",
            code=ExitCode.RECIPE,
        )


class DiskStore:
    """Pictures as memory-mapped files, one each, in a folder that runs and worker processes share.

    A file that is cut short or damaged (CRC-32, looked at once in each process) is removed and made anew.
    Where the disk is nearly full, nothing more is kept, and that is said.

    Args:
        folder: of one group of pictures.
        reserve: bytes of the disk that are left free, for checkpoints.
    """

    def __init__(self, folder: Path, reserve: float = _RESERVE) -> None:
        self.folder, self.reserve = folder, reserve
        self._sound: set[str] = set()
        self._full = False

    def get(self, key: str) -> Pixels | None:
        path = self._path(key)
        try:
            with open(path, "rb") as file:
                content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except FileNotFoundError:  # another run may make it this very moment, so it must not be looked for again
            return None
        except ValueError:  # an empty file cannot be mapped
            self._discard(path)
            return None
        except OSError:  # says nothing of the file: too many are open, or it may not be read
            return None
        pixels = _unpacked(content, check=key not in self._sound)
        if pixels is None:
            self._discard(path)
            return None
        self._sound.add(key)
        return pixels

    def put(self, key: str, pixels: Pixels) -> None:
        if self._full:
            return
        path, pixels = self._path(key), np.ascontiguousarray(pixels)
        try:
            self._make_room_for(path, pixels.nbytes)
            with replacing(path) as temporary, open_new(temporary) as file:
                file.write(_HEAD.pack(_MAGIC, *pixels.shape, zlib.crc32(pixels.data)))
                file.write(pixels.data)
        except OSError as error:
            if path.exists():  # Windows replaces no file that another run has mapped
                return
            self._full = True
            logging.getLogger(__name__).warning("no more pictures are cached in %s: %s", self.folder, error)

    def _make_room_for(self, path: Path, size: int) -> None:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
            (self.folder / _USED).touch()  # lost where another run cleared the whole group away
        free = shutil.disk_usage(self.folder).free
        if free - size < self.reserve:
            raise OSError(
                errno.ENOSPC, f"{free / 1e9:,.1f} GB are free, and {self.reserve / 1e9:,.1f} are left to others"
            )

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / key

    def _discard(self, path: Path) -> None:
        logging.getLogger(__name__).warning("the cached picture %s is damaged and is made anew", path)
        with contextlib.suppress(OSError):
            path.unlink()


def _unpacked(content: mmap.mmap, *, check: bool) -> Pixels | None:
    if len(content) < _HEAD.size:
        return None
    magic, height, width, channels, checksum = _HEAD.unpack_from(content)
    if magic != _MAGIC or len(content) != _HEAD.size + height * width * channels:
        return None
    pixels = np.frombuffer(content, np.uint8, offset=_HEAD.size).reshape(height, width, channels)
    return None if check and zlib.crc32(pixels.data) != checksum else pixels


class _Keys(Sequence[str | None]):
    """Names for pictures, made as they are asked for; None for one that is not kept."""

    def key(self, place: int) -> str | None:
        """The name at a position that there is."""
        raise NotImplementedError

    @overload
    def __getitem__(self, place: int) -> str | None: ...
    @overload
    def __getitem__(self, place: slice) -> list[str | None]: ...
    def __getitem__(self, place: int | slice) -> str | list[str | None] | None:
        if isinstance(place, slice):
            return [self.key(each) for each in range(len(self))[place]]
        return self.key(range(len(self))[place])


class PictureKeys(_Keys):
    """Names each file's picture: hashes of its path, size, times of change and inode, and of the form it is kept in.

    A file replaced by one of the same size and modification time, as unpacking an archive does, is another file still.
    A file is looked at when its name is asked for first, and never again.

    Args:
        paths: the files.
        form: everything else that the kept pixels depend on. The decoders' versions are added.
        share: of the files that have a name, by their hash: the same ones in each process and each run. The others'
            is None.
    """

    def __init__(self, paths: Sequence[str | os.PathLike[str]], form: str, share: float = 1.0) -> None:
        self._paths, self._bound = paths, share * 2.0**32
        self._start = f"{_VERSION}\0{_decoders()}\0{form}\0"
        self._made = np.zeros((len(paths), _KEY_BYTES), np.uint8)

    def __len__(self) -> int:
        return len(self._paths)

    def key(self, place: int) -> str | None:
        made = self._made[place]
        if not made.any():
            made[:] = np.frombuffer(self._digest(self._paths[place]), np.uint8)
        key = made.tobytes().hex()
        return key if int(key[:8], 16) < self._bound else None

    def _digest(self, path: str | os.PathLike[str]) -> bytes:
        digest = hashlib.sha256(self._start.encode() + os.path.abspath(path).encode(errors="surrogateescape"))
        with contextlib.suppress(OSError):  # a file that is missing is told when it is read
            stat = os.stat(path)
            digest.update(f"\0{stat.st_size}\0{stat.st_mtime_ns}\0{stat.st_ctime_ns}\0{stat.st_ino}".encode())
        return digest.digest()[:_KEY_BYTES]


class PlaceKeys(_Keys):
    """Names for pictures that only this process keeps: their positions.

    Args:
        count: pictures.
        share: of them that have a name, spread evenly; the others' is None.
    """

    def __init__(self, count: int, share: float = 1.0) -> None:
        self._count, self._share = count, share

    def __len__(self) -> int:
        return self._count

    def key(self, place: int) -> str | None:
        # The whole numbers times the share rise by one exactly where a picture is kept.
        return str(place) if int((place + 1) * self._share) > int(place * self._share) else None


def _decoders() -> str:
    import PIL

    from toolkit.system.opencv import cv2

    return f"opencv {cv2.__version__} pillow {PIL.__version__}"


def cache_folder(chosen: str | None = None) -> Path:
    """The recipe's folder, else ``VTK_CACHE``, else one in the user's cache."""
    given = chosen or os.environ.get("VTK_CACHE")
    if given:
        return expanded(given)
    return home_cache() / "pictures"


def user_cache(name: str) -> Path | None:
    """Where what saves work but is needed by nobody is kept: in ``VTK_CACHE``, else in the user's cache.

    None where there is no place for it.
    """
    given = os.environ.get("VTK_CACHE")
    try:
        return (expanded(given) if given else home_cache()) / name
    except (OSError, VtkError):
        return None


def own_group(folder: Path, place: str) -> str:
    """What the pictures of a place are kept under; a user's own where those of another may not be added to."""
    group = hashlib.sha256(place.encode(errors="surrogateescape")).hexdigest()[:16]
    if not os.path.lexists(folder / group) or os.access(folder / group, os.W_OK | os.X_OK):
        return group
    return hashlib.sha256(f"{place}\0{_user()}".encode(errors="surrogateescape")).hexdigest()[:16]


def require_cache(folder: Path, group: str) -> None:
    """Refuse a cache that a run could not use; nothing is made.

    Raises:
        VtkError: it cannot be written (exit code 73).
    """
    there = next(place for place in (folder / group, folder, *folder.absolute().parents) if os.path.lexists(place))
    if not there.is_dir():
        raise _unusable(folder, os.strerror(errno.ENOTDIR))
    if not os.access(there, os.W_OK | os.X_OK):
        raise _unusable(folder, os.strerror(errno.EACCES))


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


def _unusable(folder: Path, why: str) -> VtkError:
    return VtkError(
        f"the cache cannot be used: {why}",
        place=str(folder),
        hint="name another folder with data.cache.folder or VTK_CACHE, or set data.cache to off",
        code=ExitCode.CANNOT_CREATE,
    )


def trim(folder: Path, group: str, limit: int) -> int:
    """Marks a group as in use and removes those unused for longest until ``limit`` bytes are kept at most.

    A run whose pictures are removed decodes them again.

    Args:
        folder: holds a folder for each group of pictures. Whatever else lies there is left alone.
        group: the one about to be used, which stays.

    Returns:
        Bytes of the group that are kept already.
    """
    from filelock import FileLock

    try:
        (folder / group).mkdir(parents=True, exist_ok=True)
        # A lock for each user: in a folder that many share, none may write what another has made.
        with FileLock(folder / f".lock-{_user()}"):
            (folder / group / _USED).touch()
            sizes = {found.name: _size(found) for found in folder.iterdir() if _is_group(found)}
            others = sorted((name for name in sizes if name != group), key=lambda name: _last_use(folder / name))
            total = sum(sizes.values())
            for name in others:
                if total <= limit:
                    break
                shutil.rmtree(folder / name, ignore_errors=True)
                total -= sizes[name]
    except OSError as error:
        raise _unusable(folder, error.strerror or str(error)) from error
    return sizes[group]


def _is_group(folder: Path) -> bool:
    """Whether a folder was made here; a user may name a folder for the cache that holds other things."""
    return _GROUP.fullmatch(folder.name) is not None and (folder / _USED).is_file() and not folder.is_symlink()


def _last_use(group: Path) -> float:
    try:
        return (group / _USED).stat().st_mtime
    except OSError:
        return 0.0


def _size(group: Path) -> int:
    """Bytes of a group's pictures; what a killed run left half written goes."""
    total = 0
    for folder, _, names in os.walk(group):
        for name in names:
            with contextlib.suppress(OSError):
                path = os.path.join(folder, name)
                stat = os.stat(path)
                if name.endswith(".tmp") and time.time() - stat.st_mtime > _ABANDONED:
                    os.unlink(path)
                else:
                    total += stat.st_size
    return total
