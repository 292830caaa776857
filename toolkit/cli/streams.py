"""The process's own streams, for as long as ``vtk`` runs: whoever reads along may leave, and none need be there.

What nobody reads any more is dropped, so that a run goes on without a display. ``vtk run`` then ends as it would have;
every other verb ends with the code that a shell shows for a program whose reader has left (141).
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

__all__ = ["Streams", "own_streams"]

_GONE = {errno.EPIPE, errno.ECONNRESET, errno.EBADF}
_STDOUT, _STDERR = 1, 2


@dataclass
class Streams:
    """What became of stdout.

    Attributes:
        reader_left: nobody reads it any more.
        failure: why it could not be written for another reason, such as a full disk.
    """

    reader_left: bool = False
    failure: OSError | None = None


class _Raw(io.FileIO):
    """A standard stream whose writes never fail.

    Args:
        streams: is told what became of stdout.
    """

    def __init__(self, number: int, streams: Streams) -> None:
        super().__init__(number, "wb", closefd=False)
        self._number, self._streams, self._dead = number, streams, False

    def write(self, data: Any, /) -> int:
        """Write all of it, or drop what cannot be delivered.

        A disk that is nearly full takes a part and says so by the count alone, at which an unbuffered text stream does
        not look.
        """
        left = memoryview(data).cast("B")
        length = left.nbytes
        try:
            while left and not self._dead:
                taken = super().write(left)
                left = left[taken or 0 :]
                if taken is None:  # a handle that does not wait
                    select.select([], [self._number], [])
            return length
        except OSError as error:
            self._dead = True
            # A terminal that is closed answers EIO, as does a disk that fails.
            left_off = error.errno in _GONE or (error.errno == errno.EIO and self.isatty())
            if self._number == _STDOUT and left_off:
                self._streams.reader_left = True
            elif self._number == _STDOUT:
                self._streams.failure = OSError(error.errno, error.strerror, "standard output")
            return length


@contextmanager
def own_streams() -> Iterator[Streams]:
    """Within, ``sys.stdout`` and ``sys.stderr`` let their readers leave; what was there before comes back.

    Streams that somebody has put in place of the process's own (a test, a notebook) are left as they are.
    """
    streams = Streams()
    before = sys.stdout, sys.stderr
    _fill_gaps()
    sys.stdout, sys.stderr = (_leavable(sys.stdout, _STDOUT, streams), _leavable(sys.stderr, _STDERR, streams))
    mine = sys.stdout, sys.stderr
    try:
        yield streams
    finally:
        for stream, old in zip(mine, before, strict=True):
            if stream is not old:
                with contextlib.suppress(OSError, ValueError):
                    stream.flush()
        sys.stdout, sys.stderr = before
        if streams.reader_left or streams.failure is not None:
            _point_nowhere(_STDOUT)


def _fill_gaps() -> None:
    """Give closed standard handles to ``/dev/null``: else the next file that is opened would be what prints go to."""
    for number in (0, _STDOUT, _STDERR):
        try:
            os.fstat(number)
        except OSError:
            handle = os.open(os.devnull, os.O_RDWR)
            if handle != number:
                os.dup2(handle, number)
                os.close(handle)


def _leavable(stream: Any, number: int, streams: Streams) -> Any:
    raw: Any = _Raw(number, streams)
    if stream is None:
        return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", errors="backslashreplace")
    own: Any = sys.__stdout__ if number == _STDOUT else sys.__stderr__
    if stream is not own or os.name != "posix" or not _is_handle(stream, number):
        return stream
    with contextlib.suppress(OSError, ValueError):
        stream.flush()
    unbuffered = isinstance(stream.buffer, io.RawIOBase)
    return io.TextIOWrapper(
        raw if unbuffered else io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _is_handle(stream: Any, number: int) -> bool:
    try:
        return bool(stream.fileno() == number)
    except (OSError, ValueError, AttributeError):
        return False


def _point_nowhere(number: int) -> None:
    """Nothing that is flushed while Python ends may fail any more."""
    handle = os.open(os.devnull, os.O_WRONLY)
    os.dup2(handle, number)
    os.close(handle)
