"""Looking through folders: what is a picture, what is hidden."""

from __future__ import annotations

import os
from pathlib import Path

from toolkit.data.decode import IMAGE_SUFFIXES
from toolkit.errors import ExitCode, VtkError
from toolkit.progress import step

__all__ = ["is_picture_name", "scan", "visible_folders"]

# Left behind by archivers and file managers, on systems that do not hide them by a dot.
_LITTER = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini", "@eaDir"})


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
    paths: list[str] = []
    seen: set[tuple[int, int]] = set()
    waiting = [(str(folder), "")]
    with step("listing files") as listing:
        while waiting:
            place, prefix = waiting.pop()
            if _first_visit(place, seen):
                files, folders = _entries(place)
                paths += [prefix + name for name in files] if prefix else files
                listing.more(len(files))
                waiting += [
                    (os.path.join(place, name), f"{prefix}{name}/") for name in sorted(folders, reverse=True) if nested
                ]
    paths.sort()
    pictures = [path for path in paths if is_picture_name(path)]
    return pictures, [path for path in paths if not is_picture_name(path)] if len(pictures) < len(paths) else []


def _first_visit(folder: str, seen: set[tuple[int, int]]) -> bool:
    try:
        status = os.stat(folder)
    except OSError as error:
        raise _not_listed(folder, error) from error
    identity = status.st_dev, status.st_ino
    if identity in seen:
        return False
    seen.add(identity)
    return True


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
    return VtkError(f"cannot be listed: {error.strerror}", place=str(folder), code=ExitCode.NO_INPUT)
