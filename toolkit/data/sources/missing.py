"""What to say when data are missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from toolkit.errors import ExitCode, VtkError
from toolkit.system.home import expanded

__all__ = ["existing_file", "existing_folder", "listed"]

_SHOWN = 8


def listed(items: Iterable[object]) -> str:
    """The first few items in words, and how many more there are."""
    values: Sequence[object] = list(items)
    shown = ", ".join(repr(v) if isinstance(v, str) else str(v) for v in islice(values, _SHOWN))
    return shown + (f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else "")


def existing_folder(path: str, obtain: str | None = None) -> Path:
    """The folder, or an error that says how to get it (``obtain``)."""
    folder = expanded(path)
    if not folder.is_dir():
        what = "this is a file, not a folder" if folder.exists() else "there is no such folder"
        raise _missing(folder, what, obtain)
    return folder


def existing_file(path: str, obtain: str | None = None) -> Path:
    """The file, or an error that says how to get it (``obtain``)."""
    file = expanded(path)
    if not file.is_file():
        raise _missing(file, "this is not a file" if file.exists() else "there is no such file", obtain)
    return file


def _missing(path: Path, what: str, obtain: str | None) -> VtkError:
    where = "" if path.is_absolute() else f" (looked in {Path.cwd()})"
    return VtkError(what + where, place=str(path), hint=obtain, code=ExitCode.NO_INPUT)
