"""Looking through folders: what is a picture, what is hidden."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.data.io.decode import IMAGE_SUFFIXES
from toolkit.errors import VtkError
from toolkit.system.disk_errors import input_error
from toolkit.system.progress import step

__all__ = ["RUN", "Listing", "identity", "is_picture_name", "is_run", "look_through", "scan", "visible_folders"]

RUN = "the directory of a run"
RUN_RECIPE = "recipe.yaml"
RUN_HOLDER = ".holder"  # all that the directory of a run holds while its data are looked for
_HEAD = 64 << 10

# Left behind by archivers and file managers, on systems that do not hide them by a dot.
_LITTER = frozenset(
    {"__MACOSX", "Thumbs.db", "desktop.ini", "@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information"}
    | {"lost+found", "__pycache__"}
)


def is_picture_name(name: str) -> bool:
    """Whether a file's name ends like a picture's."""
    dot = name.rfind(".")
    return dot > 0 and name[dot:].lower() in IMAGE_SUFFIXES and name[dot - 1] != "/"


def visible_folders(folder: Path) -> list[str]:
    """Names of the sub-folders that are not hidden."""
    return _entries(folder)[1]


def scan(folder: Path, *, nested: bool = True) -> tuple[list[str], list[str]]:
    """POSIX paths, relative to ``folder``, of its pictures and of its other files, each sorted.

    Hidden files and folders do not count, as pictures or otherwise. Links are followed, each folder once. No file is
    asked for more than its name and kind, which the folder knows.
    """
    found = look_through(folder, {}, nested=nested, enter_runs=True)
    return found.pictures, found.others


Identity = tuple[int, int]
"""Device and inode of a folder, the same by whatever path it is reached."""


@dataclass(frozen=True)
class Listing:
    """What lies in a folder: POSIX paths relative to it, sorted.

    Args:
        pictures, others: files, by their names.
        left_out: folders that were not entered, each with the reason.
    """

    pictures: list[str]
    others: list[str]
    left_out: list[tuple[str, str]]


def look_through(
    folder: Path, elsewhere: dict[Identity, str], *, nested: bool = True, enter_runs: bool = False
) -> Listing:
    """As :func:`scan`; says too which folders it did not enter: those of ``elsewhere``, and the directories of runs.

    Args:
        elsewhere: folders that are not entered from here, with their paths; those that are entered are added.
        enter_runs: take the pictures of runs as well.
    """
    paths: list[str] = []
    left_out: list[tuple[str, str]] = []
    own: set[Identity] = set()
    waiting = [(str(folder), "")]
    with step("listing files") as listing:
        while waiting:
            place, prefix = waiting.pop()
            here = identity(place)
            if prefix and (here in own or here in elsewhere):
                if here in elsewhere:
                    left_out.append((prefix[:-1], f"leads to {elsewhere[here]}"))
                continue
            own.add(here)
            files, folders = _entries(place)
            if not enter_runs and is_run(place, files):
                left_out.append((prefix[:-1], RUN))
                continue
            paths += [prefix + name for name in files] if prefix else files
            listing.more(len(files))
            waiting += [
                (os.path.join(place, name), f"{prefix}{name}/") for name in sorted(folders, reverse=True) if nested
            ]
    elsewhere.update({one: str(folder) for one in own if one not in elsewhere})
    paths.sort()
    pictures = [path for path in paths if is_picture_name(path)]
    others = [path for path in paths if not is_picture_name(path)] if len(pictures) < len(paths) else []
    return Listing(pictures, others, left_out)


def is_run(folder: str | Path, files: Sequence[str]) -> bool:
    """Whether a folder with these files is the directory of a run, whose pictures are its reports."""
    if not files:
        return os.path.lexists(os.path.join(folder, RUN_HOLDER))
    if RUN_RECIPE not in files:
        return False
    try:
        with open(os.path.join(folder, RUN_RECIPE), "rb") as recipe:
            return re.search(rb"^task:", recipe.read(_HEAD), re.MULTILINE) is not None
    except OSError:
        return False


def identity(folder: str | Path) -> Identity:
    """Device and inode of a folder.

    Raises:
        VtkError: it is not there, or may not be looked at.
    """
    try:
        status = os.stat(folder)
    except OSError as error:
        raise _not_listed(folder, error) from error
    return status.st_dev, status.st_ino


def _entries(folder: Path | str) -> tuple[list[str], list[str]]:
    """Names of what is not hidden: files, and folders."""
    files: list[str] = []
    folders: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                if name[0] != "." and name not in _LITTER:
                    (folders if _is_folder(entry) else files).append(name)
    except OSError as error:
        raise _not_listed(folder, error) from error
    return files, folders


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder; one behind a link that leads where we may not look is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _not_listed(folder: Path | str, error: OSError) -> VtkError:
    return input_error(folder, error, "cannot be listed")
