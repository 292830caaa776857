"""A disk that fails on demand: the N-th call on files below a folder is refused, once or from then on.

What Python calls (open, rename, mkdir, remove, listing a folder) is refused by an audit hook, which aborts the call
with the error that it raises; writes and fsync by wrappers, for no audit event tells of them. A hook stays as long as
its process: inject in a forked child. Import this module before the code under test, which may inherit from
``io.FileIO``.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["ONCE", "ONWARDS", "Call", "Disk", "Fault"]

_AUDITED = {
    "os.rename": "rename",
    "os.mkdir": "mkdir",
    "os.remove": "unlink",
    "os.rmdir": "unlink",
    "os.listdir": "list",
    "os.scandir": "list",
}
# Which calls a disk in such a state refuses.
_REFUSED = {
    errno.ENOSPC: {"write", "fsync", "create", "mkdir"},
    errno.EDQUOT: {"write", "fsync", "create", "mkdir"},
    errno.EROFS: {"create", "rename", "mkdir", "unlink", "exchange"},
    errno.EMFILE: {"create", "open", "list"},
    errno.EIO: {"open", "create", "write", "fsync", "rename", "mkdir", "unlink", "exchange", "list"},
}
# In the order of the draw: each call is refused once by one of these, and from then on by one of those.
ONCE = {
    kind: [code for code, kinds in _REFUSED.items() if kind in kinds]
    for kind in sorted(set().union(*_REFUSED.values()))
}
ONWARDS = list(_REFUSED)
_WRITES = os.O_WRONLY | os.O_RDWR


@dataclass(frozen=True)
class Call:
    """One call on a file below the folder: its kind (as in ``ONCE``) and path."""

    kind: str
    path: str


@dataclass(frozen=True)
class Fault:
    """From the call ``number`` (counted from 0) on, or there alone, the disk answers with the error ``code``."""

    number: int
    code: int
    onwards: bool = False

    def hits(self, number: int, kind: str) -> bool:
        """Whether it refuses a call."""
        return kind in _REFUSED[self.code] and (number >= self.number if self.onwards else number == self.number)


@dataclass
class Disk:
    """Counts calls below ``folder``, and refuses those that ``fault`` hits.

    Args:
        at: is told the number of each call before it is made.
    """

    folder: str
    fault: Fault | None = None
    at: Callable[[int], None] | None = None
    calls: list[Call] = field(default_factory=list)

    def call(self, kind: str, path: str) -> None:
        """Count a call. Raises OSError where it is refused."""
        number = len(self.calls)
        self.calls.append(Call(kind, path))
        if self.at is not None:
            self.at(number)
        if self.fault is not None and self.fault.hits(number, kind):
            raise OSError(self.fault.code, os.strerror(self.fault.code), path)

    def begin(self) -> Disk:
        """Inject from now on, until this process ends."""
        global _disk
        if _disk is None:
            sys.addaudithook(_audit)
        _disk = self
        return self

    def holds(self, path: str) -> bool:
        """Whether a path lies below the folder."""
        return path == self.folder or path.startswith(self.folder + os.sep)


_disk: Disk | None = None


def _tell(kind: str, path: Any) -> None:
    if _disk is None:
        return
    if isinstance(path, int):
        path = os.readlink(f"/proc/self/fd/{path}")
    if isinstance(path, str | bytes | os.PathLike):
        full = os.path.abspath(os.fsdecode(path))
        if _disk.holds(full):
            _disk.call(kind, full)


def _audit(event: str, given: tuple[Any, ...]) -> None:
    if event == "open":
        path, mode, flags = given
        if not isinstance(path, int):
            creates = bool(flags & _WRITES) if isinstance(flags, int) else bool(set(mode or "r") & set("wax+"))
            _tell("create" if creates else "open", path)
    elif event in _AUDITED:
        _tell(_AUDITED[event], given[0] if given[0] is not None else ".")


class _FileIO(io.FileIO):
    """A file whose writes are counted. A disk that fills up takes half of a write first."""

    _refusal: OSError | None = None

    def write(self, data: Any, /) -> int:
        if self._refusal is not None:
            error, self._refusal = self._refusal, None
            raise error
        try:
            _tell("write", self.fileno())
        except OSError as error:
            view = memoryview(data).cast("B")
            if error.errno not in (errno.ENOSPC, errno.EDQUOT) or len(view) < 2:
                raise
            self._refusal = error
            return super().write(view[: len(view) // 2])
        return super().write(data)


def _open(
    file: Any,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
    opener: Any = None,
) -> Any:
    """``open`` whose files count their writes."""
    if _disk is None or not set(mode) & set("wax+"):
        return _python_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
    raw = _FileIO(file, mode.replace("b", "").replace("t", ""), closefd, opener)
    if "b" in mode and buffering == 0:
        return raw
    size = buffering if buffering > 1 else io.DEFAULT_BUFFER_SIZE
    buffered = io.BufferedRandom(raw, size) if "+" in mode else io.BufferedWriter(raw, size)
    if "b" in mode:
        return buffered
    text = io.TextIOWrapper(buffered, encoding or "utf-8", errors, newline, line_buffering=buffering == 1)
    text.mode = mode  # type: ignore[misc]
    return text


def _fsync(handle: Any) -> None:
    _tell("fsync", handle if isinstance(handle, int) else handle.fileno())
    _python_fsync(handle)


def _write(handle: int, data: Any, /) -> int:
    _tell("write", handle)
    return _python_write(handle, data)


def watch_exchange() -> None:
    """Count the exchanges of two directories too, which go past Python."""
    from toolkit.system import exchange

    swap = exchange.swap

    def told(one: Any, other: Any) -> bool:
        _tell("exchange", other)
        return swap(one, other)

    exchange.swap = told


_python_open, _python_fsync, _python_write = io.open, os.fsync, os.write
io.open = builtins.open = _open
io.FileIO = _FileIO  # type: ignore[misc]
os.fsync = _fsync
os.write = _write
