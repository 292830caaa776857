"""The directory of one run: made, locked, and told apart from those of other runs."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from toolkit.errors import ExitCode, VtkError
from toolkit.run.status import STATUS, end_status, has_status, read_status
from toolkit.system.disk_errors import read_error, write_error
from toolkit.system.files import require_space, sweep
from toolkit.system.leaving import cut_off, on_leaving
from toolkit.system.lock import HOLDER, LOCK, locked, outward_link, remove_holder

__all__ = ["open_directory", "require_own", "require_place", "require_run"]

_RUNS = Path("runs")
_NAMES = 10_000


@contextmanager
def open_directory(name: str, out: Path | None, resume: bool) -> Iterator[Path]:
    """A locked run directory: a new one, or with ``resume`` the one at ``out``.

    A directory that this call made is removed again if the block fails before anything worth keeping was
    written (there is no ``status.json``), so that a wrong recipe leaves nothing behind. Nothing else is ever removed:
    not where somebody else holds the lock, and not where it cannot be told what lies there.

    Raises:
        VtkError: it is in use (75), holds another run or links that lead out of it (73), does not exist (66) or
            cannot be made (73, 74).
    """
    parents = _missing_parents(out if out is not None else _RUNS / name)
    path, made = _make(name, out, resume)
    with locked(path) as place:
        if not resume and _holds_a_run(path):
            raise _occupied(path)
        if resume:
            sweep(path)
        try:
            with on_leaving(lambda code: _leave_in_order(path, made, parents, code)):
                yield path
        except VtkError as error:
            _follow(path, place, error)
            _remove_unused(path, made, parents)
            raise
        except BaseException:
            _remove_unused(path, made, parents)
            raise


def require_place(out: Path | None, needed: int) -> None:
    """Refuse what :func:`open_directory` would refuse to a new run, without making anything.

    Args:
        out: as there.
        needed: bytes that the run will write at least.

    Raises:
        VtkError: the directory could not be made, or holds something (73), or there is too little space (74).
    """
    path = out if out is not None else _RUNS
    there = next(place for place in (path.absolute(), *path.absolute().parents) if os.path.lexists(place))
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        raise write_error(path, error) from error
    if not there.is_dir():
        number = errno.EEXIST if there == path.absolute() else errno.ENOTDIR
        raise write_error(path, OSError(number, os.strerror(number)))
    if not os.access(there, os.W_OK | os.X_OK):
        number = errno.EROFS if os.statvfs(there).f_flag & os.ST_RDONLY else errno.EACCES
        raise write_error(path, OSError(number, os.strerror(number)))
    if out is not None and there == out.absolute() and _holds_a_run(out):
        raise _occupied(out)
    require_space(there, needed)


def require_own(directory: Path) -> None:
    """Refuse to write into a run's directory that is gone, or that another run has taken since.

    Raises:
        VtkError: it is (exit code 74).
    """
    from toolkit.system.lock import holder_text, read_holder

    if not directory.is_dir():
        what = "the run's directory is gone: it was removed or moved while the run went on"
        raise VtkError(what, place=str(directory), hint="Start the run anew.", code=ExitCode.IO)
    holder = read_holder(directory)
    if holder is not None and holder != holder_text():
        what = f"the run's directory was replaced by that of another run ({holder})"
        raise VtkError(what, place=str(directory), hint="Start the run anew with another --out.", code=ExitCode.IO)


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


def _make(name: str, out: Path | None, resume: bool) -> tuple[Path, bool]:
    """The directory, and whether this call made it. Whoever makes a directory first has its name."""
    if out is None:
        return _make_fresh(name), True
    if resume:
        require_run(out)
        if link := outward_link(out):
            what = f"holds a link that leads out of it ({link.name}): nothing is written through one"
            raise VtkError(what, place=str(link), hint="Remove the link.", code=ExitCode.CANNOT_CREATE)
        return out, False
    try:
        out.mkdir(parents=True)
    except FileExistsError:
        if out.is_dir():
            return out, False
        raise VtkError(
            "is a file, not a folder", place=str(out), hint="Choose another --out.", code=ExitCode.CANNOT_CREATE
        ) from None
    except OSError as error:
        raise write_error(out, error) from error
    return out, True


def _make_fresh(name: str) -> Path:
    stem = f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    for number in range(1, _NAMES):
        path = _RUNS / (stem if number == 1 else f"{stem}-{number}")
        try:
            path.mkdir(parents=True)
        except FileExistsError as error:
            if not _RUNS.is_dir():
                raise write_error(_RUNS, error) from error
        except OSError as error:
            raise write_error(path, error) from error
        else:
            return path
    raise VtkError("has too many runs of one name", place=str(_RUNS), hint="Give --out.", code=ExitCode.CANNOT_CREATE)


def _missing_parents(path: Path) -> list[Path]:
    """The folders above ``path`` that are to be made with it, the innermost first."""
    return [parent for parent in path.parents if not os.path.exists(parent)]


def _remove_unused(path: Path, made: bool, parents: list[Path]) -> None:
    """Remove a directory that this process made and in which no run has begun."""
    if not made or has_status(path):
        return
    shutil.rmtree(path, ignore_errors=True)
    for parent in parents:
        with contextlib.suppress(OSError):
            parent.rmdir()


def _leave_in_order(path: Path, made: bool, parents: list[Path], code: ExitCode) -> None:
    """What is left to do where the process ends before the run could."""
    _remove_unused(path, made, parents)
    if read_status(path).get("status") == "running":
        end_status(path, "stopped", reason=f"{code.name.lower()} before it came to the end of what it was doing")
    for folder in () if cut_off() else (path, path / "checkpoints", path / "report"):
        sweep(folder, own=True)
    remove_holder(path)


def _follow(path: Path, place: Path | None, error: VtkError) -> None:
    """Tell how the run ended in the directory's new place, if it was moved."""
    if place is None or path.is_dir() or not has_status(place):
        return
    with contextlib.suppress(OSError):
        moved = os.readlink(place)
        if os.path.isdir(moved) and end_status(Path(moved), "failed", reason=error.message) is None:
            error.hint = f"What was saved until then is in {moved}: vtk run {moved} --resume"


def _holds_a_run(path: Path) -> bool:
    try:
        return any(p.name not in {LOCK, HOLDER} for p in path.iterdir())
    except OSError as error:
        raise read_error(path, error) from error


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
    if not status and os.path.lexists(path / STATUS):
        what = "already holds a run"
    return VtkError(what, place=str(path), hint=hint, code=ExitCode.CANNOT_CREATE)
