"""What a disk's refusal means to a user, and what helps against it."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from toolkit.errors import ExitCode, VtkError

__all__ = ["OUT", "input_error", "megabytes", "not_enough_space", "read_error", "write_error"]

OUT = "--out"
_NOT_THERE = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.ELOOP,
    errno.ENAMETOOLONG,
}
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}
_FAILING = {errno.EIO, errno.ESTALE, errno.ETIMEDOUT}
_REMEDIES = {
    errno.EDQUOT: "Your quota on this disk is used up: free some space, or ask for more.",
    errno.EFBIG: "Larger files are not allowed here: see `ulimit -f`, or what the file system takes.",
    errno.EMFILE: "Raise the limit, e.g. `ulimit -n 4096`, or set loader.workers lower.",
    errno.ENFILE: "The whole machine has too many files open: end other programs, then try again.",
    errno.EIO: "The disk or the network share fails; what was written before is intact. Try again once it works.",
    errno.ESTALE: "The network share has lost the file; try again once it works.",
    errno.ETIMEDOUT: "The network share does not answer; try again once it does.",
    errno.ELOOP: "A symbolic link is in the way, and nothing is written through one.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
}


def write_error(path: Path, error: OSError, needed: int = 0, *, flag: str = OUT) -> VtkError:
    """What a failed write means to a user, who names the place with ``flag`` (nothing: as an argument).

    Args:
        needed: bytes that were to be written; 0 where that is not known.
    """
    where = f" with {flag}" if flag else ""
    code = ExitCode.CANNOT_CREATE if error.errno in _NOT_THERE else _code(error)
    hint = _REMEDIES.get(error.errno or 0, f"Choose a folder that you may write to{where}.")
    message = f"cannot be written: {error.strerror or error}"
    if error.errno == errno.ENOSPC:
        message = _full(path, needed)
        hint = "Free some space." if flag == OUT else f"Free some space, or choose another place{where}."
    return VtkError(message, place=str(path), hint=hint, code=code)


def read_error(path: Path, error: OSError, hint: str | None = None) -> VtkError:
    """What a failed read means to a user: nothing about the file, which may be whole (exit code 74, or 71)."""
    remedy = "\n".join(line for line in (_REMEDIES.get(error.errno or 0), hint) if line)
    return VtkError(
        f"cannot be read: {error.strerror or error}", place=str(path), hint=remedy or None, code=_code(error)
    )


def input_error(path: str | os.PathLike[str], error: OSError, what: str = "cannot be read") -> VtkError:
    """Why a file of the user's cannot be read or listed: a wrong name or right (66), a disk that fails (74), or too
    few handles (71).
    """
    if error.errno in _EXHAUSTED | _FAILING:
        return read_error(Path(path), error)
    return VtkError(f"{what}: {error.strerror or error}", place=str(path), code=ExitCode.NO_INPUT)


def not_enough_space(needed: int, free: int) -> str:
    """Told before anything is written."""
    return f"not enough disk space: {megabytes(needed)} needed, {megabytes(free)} free"


def megabytes(count: int) -> str:
    """Bytes for people."""
    return f"{count / 1e6:,.1f} MB"


def _code(error: OSError) -> ExitCode:
    return ExitCode.OUT_OF_MEMORY if error.errno in _EXHAUSTED else ExitCode.IO


def _full(path: Path, needed: int) -> str:
    free = _free(path)
    if free is None or needed == 0:
        return "the disk is full" if not free else f"the disk has no room for another file; {megabytes(free)} are free"
    return f"the disk is full: {megabytes(needed)} needed, {megabytes(free)} free"


def _free(path: Path) -> int | None:
    """Bytes that are free where ``path`` is to lie; None where that cannot be told."""
    for folder in path.absolute().parents:
        try:
            return shutil.disk_usage(folder).free
        except FileNotFoundError:
            continue
        except OSError:
            return None
    return None
