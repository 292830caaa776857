"""Writing files so that a reader finds the old content or the new, never a part.

No file is written through a symbolic link, and each gets the permissions that the user's umask leaves.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from toolkit.errors import ExitCode, VtkError
from toolkit.system.disk_errors import OUT, not_enough_space, write_error
from toolkit.system.leaving import on_leaving

__all__ = [
    "OUT",
    "new_directory",
    "open_new",
    "read_limited",
    "removed_on_leaving",
    "replacing",
    "require_space",
    "scratch_directory",
    "sweep",
    "sync_directory",
    "temporary_beside",
    "whole_file",
    "write_atomic",
    "write_error",
]

_TEMPORARY = re.compile(r"\..+\.(\d+)-[0-9a-f]{8}\.tmp(\.\w+)?")
_NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EACCES, errno.EPERM, errno.EBADF}


def write_atomic(path: Path, content: bytes | str, *, flag: str = OUT) -> None:
    r"""Write to a temporary name in the same directory, sync, rename.

    Text is UTF-8. What of a file's name is none, since Linux allows any bytes in names, is written as ``\udcff``.

    Args:
        flag: what the user names the place with; for the hint.

    Raises:
        VtkError: the disk is full or the directory cannot be written; what was there before is intact.
    """
    data = content.encode(errors="backslashreplace") if isinstance(content, str) else content
    with whole_file(path, flag=flag, needed=len(data)) as temporary, open_new(temporary) as file:
        file.write(data)


@contextmanager
def whole_file(path: Path, *, flag: str = OUT, needed: int = 0) -> Iterator[Path]:
    """A name beside ``path``, with the same suffix, to write to; it takes the place of ``path`` if the block succeeds.

    Args:
        flag: what the user names the place with; for the hint.
        needed: bytes that the file will have; for the message.

    Raises:
        VtkError: the file cannot be written; what was there before is intact.
    """
    try:
        with replacing(path, path.suffix) as temporary:
            yield temporary
            _sync_file(temporary)
    except OSError as error:
        raise write_error(path, error, needed, flag=flag) from error


@contextmanager
def replacing(path: Path, suffix: str = "") -> Iterator[Path]:
    """Like :func:`whole_file` for what can be made again: it is not synced, so a power cut may lose it.

    Raises:
        OSError: it cannot be written; what was there before is intact.
    """
    temporary = temporary_beside(path, suffix)
    try:
        with removed_on_leaving(temporary):
            yield temporary
            temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def open_new(path: Path) -> BinaryIO:
    """A file that was not there, open for writing.

    Raises:
        OSError: it is there, if only as a link, or it cannot be made.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, flags, 0o666), "wb")


def temporary_beside(path: Path, suffix: str = "") -> Path:
    """A name in the directory of ``path`` that nothing has: hidden, and with ``.tmp`` in it."""
    return path.with_name(f".{path.name[:80]}.{os.getpid()}-{secrets.token_hex(4)}.tmp{suffix}")


def new_directory(path: Path) -> Path:
    """A new directory beside ``path`` in which to make what will lie there.

    Raises:
        OSError: it cannot be made.
    """
    temporary = temporary_beside(path)
    temporary.mkdir()
    return temporary


@contextmanager
def scratch_directory(prefix: str) -> Iterator[Path]:
    """A new directory among the system's temporary files, which vanishes with its content.

    Raises:
        OSError: it cannot be made.
    """
    import tempfile

    with tempfile.TemporaryDirectory(prefix=prefix) as name, removed_on_leaving(Path(name)):
        yield Path(name)


@contextmanager
def removed_on_leaving(path: Path) -> Iterator[None]:
    """Within, a process that leaves in the midst of things removes what it has half made at ``path``."""
    with on_leaving(lambda _code: _remove(path)):
        yield


def sweep(directory: Path, *, own: bool = False) -> None:
    """Remove what processes that were killed left half written in a directory, as :func:`temporary_beside` names it.

    Nobody else may be at work there but those whose processes still live.

    Args:
        own: remove what this process has half written, too.
    """
    with contextlib.suppress(OSError):
        for path in list(directory.iterdir()):
            found = _TEMPORARY.fullmatch(path.name)
            if found is None or (_lives(int(found[1])) and not (own and int(found[1]) == os.getpid())):
                continue
            _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def read_limited(path: Path, largest: int) -> bytes:
    """The content of a file of ``largest`` bytes at most.

    Raises:
        OSError: it cannot be read.
        VtkError: it holds more (exit code 65).
    """
    with path.open("rb") as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise VtkError(f"is larger than {largest / (1 << 20):,.0f} MiB, which no such file is", place=str(path))
    return content


def sync_directory(path: Path) -> None:
    """Make renames in a directory durable, where the system can.

    Raises:
        OSError: the disk failed to.
    """
    try:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise


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
        raise VtkError(not_enough_space(needed, free), place=str(directory), hint="Free some space.", code=ExitCode.IO)


def _sync_file(path: Path) -> None:
    handle = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
