"""Looking through folders: what is a picture, what is hidden."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from toolkit.data.decode import IMAGE_SUFFIXES
from toolkit.errors import ExitCode, VtkError

__all__ = ["is_picture_name", "scan", "visible_folders"]

# Left behind by archivers and file managers, on systems that do not hide them by a dot.
_LITTER = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini", "@eaDir"})


def is_picture_name(name: str) -> bool:
    """Whether a file's name ends like a picture's."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def visible_folders(folder: Path) -> list[str]:
    """Names of the sub-folders that are not hidden."""
    return [entry.name for entry in _entries(folder) if _is_folder(entry)]


def scan(folder: Path, *, nested: bool = True) -> tuple[list[str], list[str]]:
    """POSIX paths, relative to ``folder``, of its pictures and of its other files, each sorted.

    Hidden files and folders do not count, as pictures or otherwise. Links are followed, each folder once.
    """
    pictures: list[str] = []
    others: list[str] = []
    for path in _walk(folder, "", nested, set()):
        (pictures if is_picture_name(path) else others).append(path)
    return sorted(pictures), sorted(others)


def _walk(folder: Path | str, prefix: str, nested: bool, seen: set[tuple[int, int]]) -> Iterator[str]:
    try:
        status = os.stat(folder)
    except OSError as error:
        raise _not_listed(folder, error) from error
    identity = status.st_dev, status.st_ino
    if identity in seen:
        return
    seen.add(identity)
    for entry in _entries(folder):
        if not _is_folder(entry):
            yield prefix + entry.name
        elif nested:
            yield from _walk(entry.path, f"{prefix}{entry.name}/", nested, seen)


def _entries(folder: Path | str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [e for e in entries if not e.name.startswith(".") and e.name not in _LITTER]
    except OSError as error:
        raise _not_listed(folder, error) from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder; one behind a link that leads where we may not look is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _not_listed(folder: Path | str, error: OSError) -> VtkError:
    return VtkError(f"cannot be listed: {error.strerror}", place=str(folder), code=ExitCode.NO_INPUT)
