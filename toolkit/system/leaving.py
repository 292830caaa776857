"""A process that is told to end does, whatever it is at: a thread waits for signals beside the main one.

Python's own handlers run in the main thread, between two of its instructions: an import, a plugin that waits or a long
operation of a library can keep them waiting for ever. The thread is woken by the signal itself.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar

from toolkit.errors import ExitCode

__all__ = ["CODES", "FAREWELL", "GRACE", "SAVE", "cut_off", "leaving", "on_leaving", "saving", "watched"]

CODES = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}
GRACE = 6.0
"""Seconds in which a process may come to its end by itself after a signal."""
SAVE, FAREWELL = 1.0, 1.5
"""Seconds that a save gets then, and what is to be tidied."""
_FIRST_FREE = 3
"""After standard input, output and error."""
_SAME = 0.5
"""Seconds within which a second SIGTERM is the first: ``timeout`` tells the process, and then its whole group."""

Farewell = Callable[[ExitCode], None]


class _State:
    """What is shared with the thread."""

    watching = False
    cut_off = False
    farewells: ClassVar[list[Farewell]] = []


_SAVING = threading.RLock()


def cut_off() -> bool:
    """Whether the process leaves while something is being saved: what that has half written must stay where it is."""
    return _State.cut_off


def watched() -> bool:
    """Whether the thread ends this process; a second signal is then its business."""
    return _State.watching


@contextmanager
def saving() -> Iterator[None]:
    """Around what is to be written whole: a process that leaves waits for it a while."""
    with _SAVING:
        yield


@contextmanager
def on_leaving(farewell: Farewell) -> Iterator[None]:
    """Within, a process that leaves in the midst of things calls ``farewell`` with its exit code, the newest first."""
    _State.farewells.append(farewell)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # a forked child has none left
            _State.farewells.remove(farewell)


def leaving() -> None:
    """From now on SIGTERM and SIGINT end the process after ``GRACE`` seconds at the latest, a second one at once.

    For a process that is the toolkit's own; to be called in its main thread. Where it may have no more threads or file
    handles, signals are heard only by the main thread, as ever.
    """
    if _State.watching or threading.current_thread() is not threading.main_thread():
        return
    try:
        read, write = _pipe()
    except (OSError, ImportError):
        return
    try:
        threading.Thread(target=_watch, args=(read,), name="vtk-leaving", daemon=True).start()
    except RuntimeError:
        os.close(read)
        os.close(write)
        return
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    # A child shares the pipe, and its signals are not ours.
    os.register_at_fork(after_in_child=_forget)
    _State.watching = True


def _pipe() -> tuple[int, int]:
    """A pipe whose ends take no place of a standard stream that is closed."""
    import fcntl  # POSIX alone has it

    pair = os.pipe()
    try:
        read, write = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE) for end in pair)
    finally:
        for end in pair:
            os.close(end)
    return read, write


def _forget() -> None:
    _State.watching = False
    _State.farewells.clear()
    with contextlib.suppress(ValueError):
        signal.set_wakeup_fd(-1)


def _watch(pipe: int) -> None:
    first = None
    while first is None:
        first = _signal(pipe)
    came = time.monotonic()
    while (left := came + GRACE - time.monotonic()) > 0 and select.select([pipe], [], [], left)[0]:
        second = _signal(pipe)
        if second and (second != first or second == signal.SIGINT or time.monotonic() - came > _SAME):
            _leave(CODES[second], 0.0)
    _leave(CODES[first], SAVE)


def _signal(pipe: int) -> signal.Signals | None:
    """The next signal; None for one that ends nothing."""
    number = os.read(pipe, 1)[0]
    return signal.Signals(number) if number in CODES else None


def _leave(code: ExitCode, patience: float) -> None:
    """End the process, after a save that is going on has had a while to end."""
    last = threading.Timer(patience + FAREWELL, os._exit, (code,))
    last.daemon = True
    with contextlib.suppress(RuntimeError):
        last.start()
    try:
        _State.cut_off = not _SAVING.acquire(timeout=patience)
        for farewell in reversed(_State.farewells):
            with contextlib.suppress(Exception):
                farewell(code)
    finally:
        _end_children()
        os._exit(code)


def _end_children() -> None:
    import multiprocessing

    for child in multiprocessing.active_children():
        with contextlib.suppress(Exception):
            child.kill()
