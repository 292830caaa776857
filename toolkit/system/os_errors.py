"""What the system refuses, told to the user: which path, why, and with which exit code. A bug of ours is none of it.

An error counts as the system's answer by its number: no space, no permission, too long a name, too few processes. What
only wrong code meets (a closed handle, a file of the installation itself that is not there) keeps its traceback.
"""

from __future__ import annotations

import errno
import os
import re
import sysconfig
import threading
from pathlib import Path
from types import TracebackType

from toolkit.errors import ExitCode, VtkError, is_out_of_memory
from toolkit.system.memory import out_of_memory, smaller_batches
from toolkit.system.memory_limit import address_limit, memory_hint
from toolkit.system.printable import printable

__all__ = [
    "SHARED_MEMORY",
    "exhausted",
    "os_error",
    "path_in",
    "refused_threads",
    "require_current_folder",
    "resource_error",
    "shared_memory_error",
]

SHARED_MEMORY = "/dev/shm"

_MISSING = {errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP}
_UNMADE = {errno.EROFS, errno.EEXIST, errno.ENOTEMPTY, errno.EXDEV, errno.EBUSY, errno.ETXTBSY}
_BROKEN = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG, errno.ESTALE, errno.ENXIO, errno.ENODEV}
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN}
_ODD_NAME = {errno.EINVAL, errno.EILSEQ}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_WRITERS = {"mkdir", "makedirs", "mkstemp", "mkdtemp", "_mkstemp_inner", "rename", "replace", "unlink", "rmdir"}
_WRITERS |= {"rmtree", "touch", "write_text", "write_bytes", "symlink_to", "chmod", "write_atomic"}

_HANDLES = "Raise the limit on open files (ulimit -n 4096), or take fewer loader processes: loader.workers."
_PROCESSES = (
    "Raise the limit on processes (ulimit -u; in a container --pids-limit), set loader.workers: 0, or "
    "OMP_NUM_THREADS=1 in the environment."
)
# PyTorch 2.10 ends "unable to allocate shared memory(shm) for file </torch_1_2_0>" with ": Success (0)".
_SHARED_FULL = re.compile(
    r"(shared memory|</torch_|/dev/shm).*(No space left|Cannot allocate)|unable to allocate shared memory|Bus error",
    re.DOTALL,
)


def os_error(error: BaseException) -> VtkError | None:
    """What to tell of an error of the system; None for a bug, and for what is no ``OSError``."""
    if not isinstance(error, OSError) or error.errno is None:
        return None
    path = path_in(error)
    number, reason = error.errno, os.strerror(error.errno)
    if number in _EXHAUSTED:
        return _exhausted(number, path, reason)
    if isinstance(error, ConnectionError | TimeoutError):
        return None
    known = number in _MISSING | _UNMADE | _BROKEN or (number in _ODD_NAME and path is not None)
    if path is None and number == errno.ENOENT and not _has_folder():
        return _no_folder()
    if not known or (number in _MISSING and (path is None or _is_ours(path))):
        return None
    return VtkError(reason, place=printable(path) if path else None, hint=_hint(number), code=_code(error, path))


def resource_error(error: BaseException) -> VtkError | None:
    """What to tell of a library's error by which processes, memory, handles or shared memory have run out."""
    text = str(error)
    if isinstance(error, RuntimeError) and _SHARED_FULL.search(text):
        return shared_memory_error(text.splitlines()[0])
    if isinstance(error, RuntimeError) and "can't start new thread" in text:
        return _exhausted(errno.EAGAIN, None, "no more threads may be started")
    if isinstance(error, RuntimeError) and ("ancdata" in text or "Too many open files" in text):
        return _exhausted(errno.EMFILE, None, os.strerror(errno.EMFILE))
    memory = "failed to map segment" in text or "annot allocate memory" in text or "can't allocate memory" in text
    if isinstance(error, ImportError | RuntimeError) and memory:
        return out_of_memory(f"out of memory: {text.splitlines()[0]}", smaller_batches())
    return None


def exhausted(error: BaseException) -> VtkError | None:
    """What to tell of an error by which memory, processes or handles have run out, wherever in whosever code."""
    told = os_error(error) or resource_error(error)
    if told is not None:
        return told if told.code == ExitCode.OUT_OF_MEMORY else None
    if not is_out_of_memory(error):
        return None
    detail = next(iter(str(error).strip().splitlines()), "")
    return out_of_memory(f"out of memory{detail and ': ' + detail}", smaller_batches())


def refused_threads(error: KeyboardInterrupt) -> VtkError | None:
    """What to tell where nobody has pressed Ctrl-C: OpenBLAS sends SIGINT when it may not start its threads.

    It does so while it is imported; and then no other thread can be started either, which is tried.
    """
    trace, importing = error.__traceback__, False
    while trace is not None:
        importing = importing or trace.tb_frame.f_code.co_name == "<module>"
        trace = trace.tb_next
    if not importing:
        return None
    try:
        threading.Thread(target=int).start()
    except RuntimeError as refused:
        return resource_error(refused)
    return None


def shared_memory_error(reason: str, needs: str = "") -> VtkError:
    """Loader processes hand batches over in shared memory, and it is too small for them.

    Args:
        needs: what is needed and what is there, in words.
    """
    return VtkError(
        f"too little shared memory for the batches of the loader processes{needs and ': ' + needs}"
        f"{reason and ' (' + reason + ')'}",
        place=SHARED_MEMORY,
        hint="Set loader.workers: 0 or loader.kind: thread, lower train.batch_size or loader.prefetch, or enlarge "
        f"{SHARED_MEMORY}: docker run --shm-size=2g (or --ipc=host), mount -o remount,size=2g {SHARED_MEMORY}.",
        code=ExitCode.IO,
    )


def path_in(error: OSError) -> str | None:
    """The path that an error is about: its own, else that of the open file that was being written or read."""
    for name in (error.filename2, error.filename):
        if isinstance(name, str | bytes | os.PathLike) and name:
            return os.fsdecode(name)
    return _open_file(error.__traceback__)


def _open_file(trace: TracebackType | None) -> str | None:
    """The innermost open file among the variables that the error passed by; a failed write does not name its file."""
    found = None
    while trace is not None:
        for value in list(trace.tb_frame.f_locals.values()):
            name = getattr(value, "name", None) if hasattr(value, "fileno") else None
            if isinstance(name, str) and name and not name.startswith("<"):
                found = name
        trace = trace.tb_next
    return found


def _exhausted(number: int, path: str | None, reason: str) -> VtkError:
    # A thread's stack takes address space, and the system gives the same number for both.
    more = f" {memory_hint('')}" if address_limit() is not None else ""
    hints = {errno.EAGAIN: f"{_PROCESSES}{more}", errno.ENOMEM: memory_hint(smaller_batches())}
    message = f"no more processes may be started: {reason}" if number == errno.EAGAIN else reason
    place = printable(path) if path else None
    return VtkError(message, place=place, hint=hints.get(number, _HANDLES), code=ExitCode.OUT_OF_MEMORY)


def _code(error: OSError, path: str | None) -> ExitCode:
    if error.errno in _BROKEN:
        return ExitCode.IO
    if error.errno in _UNMADE or _was_written(error.__traceback__):
        return ExitCode.CANNOT_CREATE
    denied = error.errno in (errno.EACCES, errno.EPERM) and path is not None
    # What may be read, or is not there yet in a folder that may be looked into, was refused to a writer.
    if denied and path is not None and (os.access(path, os.R_OK) or _can_be_seen_missing(path)):
        return ExitCode.CANNOT_CREATE
    return ExitCode.NO_INPUT


def _was_written(trace: TracebackType | None) -> bool:
    writes = False
    while trace is not None:
        mode = trace.tb_frame.f_locals.get("mode")
        name = trace.tb_frame.f_code.co_name
        writes = name in _WRITERS or (name == "open" and isinstance(mode, str) and bool(set(mode) & set("wax+")))
        trace = trace.tb_next
    return writes


def _can_be_seen_missing(path: str) -> bool:
    try:
        os.stat(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def _hint(number: int) -> str | None:
    if number in (errno.EACCES, errno.EPERM):
        who = f" (uid {os.getuid()})" if hasattr(os, "getuid") else ""
        return f"Give this user{who} the right to it and to the folders that lead there, or name another path."
    if number == errno.ENAMETOOLONG:
        return "A name has at most 255 bytes on most file systems; name a shorter one."
    if number == errno.EROFS:
        return "It lies on a file system that is mounted read-only; name another place."
    if number in _FULL:
        return "Free some space, or name another place."
    return None


def _is_ours(path: str) -> bool:
    """Whether a path lies in the installation, where nothing of a user's is looked for."""
    toolkit = str(Path(__file__).parents[1])
    installed = [toolkit, *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))]
    return any(path == folder or path.startswith(folder + os.sep) for folder in installed)


def require_current_folder() -> None:
    """Refuse to work in a folder that was deleted: there Intel's MKL ends the process as soon as it computes.

    Raises:
        VtkError: it is gone (exit code 66).
    """
    if not _has_folder():
        raise _no_folder()


def _no_folder() -> VtkError:
    return VtkError("the current folder is gone", hint="Go to one that is there.", code=ExitCode.NO_INPUT)


def _has_folder() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return False
    return True
