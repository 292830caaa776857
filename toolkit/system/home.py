"""The user's home and cache, also for a user who has none: ``docker run --user 12345``, a service, a bare container."""

from __future__ import annotations

import contextlib
import logging
import os
import stat
import sys
import tempfile
from functools import cache
from pathlib import Path

from toolkit.errors import ExitCode, VtkError

__all__ = ["expanded", "find_place_for_plots", "library_cache", "user_cache"]

_NAME = "vision-toolkit"


def expanded(path: str | os.PathLike[str]) -> Path:
    """The path, with a home folder for its ``~`` or ``~name``.

    Raises:
        VtkError: nobody has that name, or the user has no home (exit code 66).
    """
    try:
        return Path(path).expanduser()
    except (RuntimeError, KeyError):
        who = Path(path).parts[0]
        what = "this user has no home folder" if who == "~" else f"no user {who[1:]!r} with a home folder is known"
        raise VtkError(
            f"{who} stands for nothing here: {what}",
            place=os.fspath(path),
            hint="Write the whole path, or set HOME.",
            code=ExitCode.NO_INPUT,
        ) from None


def user_cache() -> Path:
    """The folder for what can be made again, in ``XDG_CACHE_HOME`` or the user's home.

    A user without a home, or one who may write nothing there, gets a private folder among the temporary files.

    Raises:
        VtkError: that folder belongs to somebody else (exit code 73).
    """
    from platformdirs import user_cache_path

    with contextlib.suppress(RuntimeError, KeyError):  # there is no home
        usual = user_cache_path(_NAME)
        if os.environ.get("XDG_CACHE_HOME") or _usable(usual):
            return usual
    return _private(Path(tempfile.gettempdir()) / f"{_NAME}-{_user()}")


def library_cache(usual: str | os.PathLike[str], name: str, *variables: str) -> Path:
    """The folder ``usual`` of a library that looks for it in the user's home; else one in :func:`user_cache`.

    Args:
        name: what the folder is called in the toolkit's own cache.
        variables: of the environment, any of which chooses ``usual``.
    """
    chosen = any(os.environ.get(variable) for variable in (*variables, "XDG_CACHE_HOME"))
    path = Path(usual)
    return path if chosen or _usable(path) else user_cache() / name


def find_place_for_plots() -> None:
    """Where matplotlib could not write in the user's home, let it keep its list of fonts in :func:`user_cache`.

    By itself it warns, and makes the list anew in each process. Call before it is imported, which torchmetrics does.
    """
    if os.environ.get("MPLCONFIGDIR"):
        return
    with contextlib.suppress(VtkError):  # there is no place at all, which whatever needs one tells
        if not all(_usable(folder) and _may_be_written(folder) for folder in _of_matplotlib()):
            os.environ["MPLCONFIGDIR"] = str(user_cache() / "matplotlib")


def _of_matplotlib() -> list[Path]:
    home = Path("~").expanduser() if _has_home() else Path("~")
    if not sys.platform.startswith(("linux", "freebsd")):
        return [home / ".matplotlib"]
    usual = {"XDG_CONFIG_HOME": home / ".config", "XDG_CACHE_HOME": home / ".cache"}
    return [Path(os.environ.get(variable) or folder) / "matplotlib" for variable, folder in usual.items()]


def _has_home() -> bool:
    try:
        Path.home()
    except (RuntimeError, KeyError):
        return False
    return True


def _may_be_written(folder: Path) -> bool:
    return not folder.exists() or os.access(folder, os.W_OK)


def _usable(folder: Path) -> bool:
    """Whether the folder is there and may be looked into, or may be made."""
    if not folder.is_absolute():  # a home that is not known stays a "~"
        return False
    for place in (folder, *folder.parents):
        if os.path.lexists(place):
            return place.is_dir() and os.access(place, os.X_OK | (os.W_OK if place != folder else os.R_OK))
        if not _can_be_seen(place.parent):
            return False
    return False


def _can_be_seen(folder: Path) -> bool:
    return not os.path.lexists(folder) or os.access(folder, os.X_OK)


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


def _private(folder: Path) -> Path:
    """Among the temporary files anybody can make a folder of any name, so it must be this user's own."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise _no_cache(folder, error.strerror or str(error)) from error
    if not stat.S_ISDIR(found.st_mode) or (hasattr(os, "getuid") and found.st_uid != os.getuid()):
        raise _no_cache(folder, "it belongs to somebody else")
    _say_once(folder)
    return folder


def _no_cache(folder: Path, why: str) -> VtkError:
    return VtkError(
        f"there is no home folder, and this cannot be the cache: {why}",
        place=str(folder),
        hint="Set HOME or XDG_CACHE_HOME to a folder that you may write to.",
        code=ExitCode.CANNOT_CREATE,
    )


@cache
def _say_once(folder: Path) -> None:
    logging.getLogger(__name__).warning("there is no home folder to write to, so caches are in %s", folder)
