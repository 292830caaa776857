"""The directory of one run: made, locked, and told apart from those of other runs."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from toolkit.errors import ExitCode, VtkError
from toolkit.run.files import write_atomic, write_error


@contextmanager
def open_directory(name: str, out: Path | None, resume: bool) -> Iterator[Path]:
    """A locked run directory: a new one, or with ``resume`` the one at ``out``.

    A directory that this call made is removed again if the block fails before anything worth keeping was
    written (``status.json`` says ``running``), so that a wrong recipe leaves nothing behind.

    Raises:
        VtkError: it is in use (75), holds another run (73), does not exist (66) or cannot be made (73).
    """
    path = out if out is not None else _fresh_name(name)
    parent_is_new = not path.parent.exists()
    made = _make(path, resume)
    try:
        with _locked(path):
            if not resume and _holds_a_run(path):
                raise _occupied(path)
            yield path
    except BaseException:
        if made and read_status(path).get("status") is None:
            shutil.rmtree(path, ignore_errors=True)
            if parent_is_new:
                with contextlib.suppress(OSError):
                    path.parent.rmdir()
        raise


def write_status(directory: Path, status: str, **facts: Any) -> None:
    """Record ``running``, ``finished``, ``failed`` or ``stopped``, with more facts."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    text = json.dumps({"status": status, "at": stamp, "pid": os.getpid(), **facts}, indent=2)
    write_atomic(directory / "status.json", text + "\n")


def read_status(directory: Path) -> dict[str, Any]:
    """What :func:`write_status` wrote last; empty where there is nothing to read."""
    try:
        status = json.loads((directory / "status.json").read_text())
    except (OSError, ValueError):
        return {}
    return status if isinstance(status, dict) else {}


def require_run(path: Path) -> Path:
    """The path, if it is a run's directory.

    Raises:
        VtkError: there is nothing, or something else (exit code 66).
    """
    if (path / "recipe.yaml").is_file():
        return path
    what = "is not the directory of a run" if path.exists() else "does not exist"
    raise VtkError(
        what,
        place=str(path),
        hint="Give the directory that `vtk run` printed, e.g. runs/digits-20260101-120000.",
        code=ExitCode.NO_INPUT,
    )


def _fresh_name(name: str) -> Path:
    stem = Path("runs") / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    candidates = [stem, *(stem.with_name(f"{stem.name}-{i}") for i in range(2, 1000))]
    return next(path for path in candidates if not path.exists())


def _make(path: Path, resume: bool) -> bool:
    if resume:
        require_run(path)
        return False
    try:
        path.mkdir(parents=True)
    except FileExistsError:
        if path.is_dir():
            return False
        raise VtkError(
            "is a file, not a folder", place=str(path), hint="Choose another --out.", code=ExitCode.CANNOT_CREATE
        ) from None
    except OSError as error:
        raise write_error(path, error) from error
    return True


def _holds_a_run(path: Path) -> bool:
    return any(p.name not in {".lock", ".holder"} for p in path.iterdir())


def _occupied(path: Path) -> VtkError:
    status = read_status(path).get("status")
    kept = status == "finished" or any((path / "checkpoints").glob("step-*"))
    if status and kept:
        hint = "Go on with it by --resume, or choose another --out."
    elif status:
        hint = "It ended before its first checkpoint: remove it, or choose another --out."
    else:
        hint = "Choose an empty or new --out."
    what = f"already holds a run ({status})" if status else "is not empty"
    return VtkError(what, place=str(path), hint=hint, code=ExitCode.CANNOT_CREATE)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    lock = FileLock(path / ".lock", timeout=0.5)
    holder = path / ".holder"
    try:
        lock.acquire()
    except Timeout:
        raise VtkError(
            f"is in use by another run ({_read_holder(holder)})",
            place=str(path),
            hint="Wait for it, stop it, or choose another --out.",
            code=ExitCode.LOCKED,
        ) from None
    except OSError as error:
        raise write_error(path / ".lock", error) from error
    try:
        holder.write_text(f"process {os.getpid()} on {socket.gethostname()}")
        yield
    finally:
        with contextlib.suppress(OSError):
            holder.unlink()
        lock.release()


def _read_holder(holder: Path) -> str:
    try:
        return holder.read_text() or "unknown"
    except OSError:
        return "unknown"
