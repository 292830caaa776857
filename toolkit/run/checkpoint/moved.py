"""A run that is taken up again in another folder than the one it was started in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from toolkit.errors import ExitCode, VtkError
from toolkit.system.files import read_limited

__all__ = ["reraise_with_origin"]

_LARGEST = 1 << 20


@contextmanager
def reraise_with_origin(directory: Path) -> Iterator[None]:
    """Within, data that are missing are told with the folder that the run's relative paths began in."""
    try:
        yield
    except VtkError as error:
        began = _began_in(directory)
        if error.code == ExitCode.NO_INPUT and began is not None and began != Path.cwd():
            note = f"Relative paths are taken from the present folder; the run was started in {began}."
            error.hint = f"{error.hint}\n  {note}" if error.hint else note
        raise


def _began_in(directory: Path) -> Path | None:
    try:
        return Path(json.loads(read_limited(directory / "environment.json", _LARGEST))["folder"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError, VtkError):
        return None  # no run, or one of an earlier version
