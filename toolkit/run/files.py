"""Writing files so that a reader finds the old content or the new, never a part."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from pathlib import Path

from toolkit.errors import ExitCode, VtkError

OUT = "--out"
_NOT_THERE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST}


def write_atomic(path: Path, content: bytes | str, *, flag: str = OUT) -> None:
    r"""Write to a temporary name in the same directory, sync, rename.

    Text is UTF-8. What of a file's name is none, since Linux allows any bytes in names, is written as ``\udcff``.

    Args:
        flag: what the user names the place with; for the hint.

    Raises:
        VtkError: the disk is full or the directory cannot be written; what was there before is intact.
    """
    data = content.encode(errors="backslashreplace") if isinstance(content, str) else content
    temporary: str | None = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as error:
        _discard(temporary)
        raise write_error(path, error, len(data), flag=flag) from error


def sync_directory(path: Path) -> None:
    """Make renames in a directory durable, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def require_space(directory: Path, needed: int) -> None:
    """Refuse early what would not fit.

    Raises:
        VtkError: fewer than ``needed`` bytes are free (exit code 74).
    """
    try:
        free = shutil.disk_usage(directory).free
    except OSError as error:
        raise write_error(directory, error, needed) from error
    if free < needed:
        raise VtkError(
            f"not enough disk space: {megabytes(needed)} needed, {megabytes(free)} free",
            place=str(directory),
            hint="Free some space, then go on with --resume; earlier checkpoints are intact.",
            code=ExitCode.IO,
        )


def write_error(path: Path, error: OSError, needed: int = 0, *, flag: str = OUT) -> VtkError:
    """What a failed write means to a user, who names the place with ``flag`` (nothing: as an argument)."""
    where = f" with {flag}" if flag else ""
    if error.errno == errno.ENOSPC:
        free = shutil.disk_usage(path.parent).free
        message = f"the disk is full: {megabytes(needed)} needed, {megabytes(free)} free"
        hint = "Free some space, then go on with --resume; earlier checkpoints are intact."
        if flag != OUT:
            hint = f"Free some space, or choose another place{where}."
        return VtkError(message, place=str(path), hint=hint, code=ExitCode.IO)
    return VtkError(
        f"cannot be written: {error.strerror or error}",
        place=str(path),
        hint=f"Choose a folder that you may write to{where}.",
        code=ExitCode.CANNOT_CREATE if error.errno in _NOT_THERE else ExitCode.IO,
    )


def megabytes(count: int) -> str:
    """Bytes for people."""
    return f"{count / 1e6:,.1f} MB"


def _discard(temporary: str | None) -> None:
    if temporary is not None:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
