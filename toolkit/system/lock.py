"""One process at a time in a run's directory, and who that is."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from toolkit.errors import ExitCode, VtkError
from toolkit.system.disk_errors import write_error
from toolkit.system.files import open_new
from toolkit.system.printable import printable

__all__ = ["HOLDER", "LOCK", "holder_text", "locked", "outward_link", "read_holder", "remove_holder"]

LOCK = ".lock"
HOLDER = ".holder"
_LONGEST = 200


@contextmanager
def locked(path: Path) -> Iterator[Path | None]:
    """Hold a run's directory; yields a name under which it is found even when it is moved, where the system has one.

    Raises:
        VtkError: somebody else holds it (75), or it cannot be locked (73, 74).
    """
    lock = FileLock(path / LOCK, timeout=0.5)
    with contextlib.ExitStack() as stack:
        try:
            _refuse_link(path / LOCK)
            lock.acquire()
        except Timeout:
            raise VtkError(
                f"is in use by another run ({read_holder(path) or 'unknown'})",
                place=str(path),
                hint="Wait for it, stop it, or choose another --out.",
                code=ExitCode.LOCKED,
            ) from None
        except OSError as error:
            raise write_error(path / LOCK, error) from error
        stack.callback(lock.release)
        try:
            _write_holder(path / HOLDER)
            place = _anchor(path, stack)
        except OSError as error:
            raise write_error(path / HOLDER, error) from error
        stack.callback(remove_holder, place or path)
        yield place


def holder_text() -> str:
    """Names the present process, for others to read."""
    return f"process {os.getpid()} on {socket.gethostname()}"


def read_holder(path: Path) -> str | None:
    """Who holds a run's directory; None where nobody does, or where that cannot be read."""
    try:
        with open(path / HOLDER, encoding="utf-8", errors="replace") as file:
            return printable(file.read(_LONGEST)) or None
    except OSError:
        return None


def outward_link(path: Path) -> Path | None:
    """A symbolic link in a directory that leads out of it, through which a stranger's run would write elsewhere."""
    home = path.resolve()
    for folder, folders, files in os.walk(path):
        for name in sorted([*folders, *files]):
            entry = Path(folder, name)
            if entry.is_symlink() and not Path(os.path.realpath(entry)).is_relative_to(home):
                return entry
    return None


def _refuse_link(path: Path) -> None:
    if path.is_symlink():
        raise VtkError(
            "is a symbolic link, and nothing is written through one",
            place=str(path),
            hint="Remove the link.",
            code=ExitCode.CANNOT_CREATE,
        )


def _write_holder(holder: Path) -> None:
    """Whoever has the lock may replace what a killed process left."""
    _refuse_link(holder)
    holder.unlink(missing_ok=True)
    with open_new(holder) as file:
        file.write(holder_text().encode())


def _anchor(path: Path, stack: contextlib.ExitStack) -> Path | None:
    """A name that follows the directory itself (Linux)."""
    if not os.path.isdir("/proc/self/fd"):
        return None
    handle = os.open(path, os.O_RDONLY)
    stack.callback(os.close, handle)
    return Path(f"/proc/self/fd/{handle}")


def remove_holder(path: Path) -> None:
    """No longer hold a run's directory; another's note is left alone."""
    if read_holder(path) == holder_text():
        with contextlib.suppress(OSError):
            (path / HOLDER).unlink()
