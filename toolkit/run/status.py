"""``status.json``: whether a run goes on, and how it ended. It is true even where the disk takes no more."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any

from toolkit.errors import VtkError
from toolkit.system.files import read_limited, write_atomic

__all__ = ["STATUS", "begin_status", "end_status", "has_status", "read_status", "write_status"]

STATUS = "status.json"
_LARGEST = 1 << 20
_SPARE = ".status.spare.json"
_NO_ROOM = "the disk took no more, not even how the run ended; see what was said at the time"


def write_status(directory: Path, status: str, **facts: Any) -> None:
    """Record ``running``, ``finished``, ``failed`` or ``stopped``, with more facts.

    Raises:
        VtkError: it cannot be written.
    """
    write_atomic(directory / STATUS, _text(status, facts))


def begin_status(directory: Path, **facts: Any) -> None:
    """Record ``running``, and lay down what takes its place where the end cannot be written.

    Raises:
        VtkError: it cannot be written.
    """
    write_atomic(directory / _SPARE, _text("failed", {**facts, "reason": _NO_ROOM}))
    write_status(directory, "running", **facts)


def end_status(directory: Path, status: str, **facts: Any) -> VtkError | None:
    """Record how a run ended; returns why that could not be written, where only ``failed`` is recorded."""
    try:
        write_status(directory, status, **facts)
    except VtkError as error:
        # A rename needs no room.
        with contextlib.suppress(OSError):
            (directory / _SPARE).replace(directory / STATUS)
        return error
    with contextlib.suppress(OSError):
        (directory / _SPARE).unlink()
    return None


def has_status(directory: Path) -> bool:
    """Whether a run has begun here; also where that cannot be told."""
    try:
        os.lstat(directory / STATUS)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def read_status(directory: Path) -> dict[str, Any]:
    """What was recorded last; empty where there is nothing to read."""
    try:
        status = json.loads(read_limited(directory / STATUS, _LARGEST))
    except (OSError, ValueError, RecursionError, VtkError):
        return {}
    return status if isinstance(status, dict) and isinstance(status.get("status"), str) else {}


def _text(status: str, facts: dict[str, Any]) -> str:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    return json.dumps({"status": status, "at": stamp, "pid": os.getpid(), **facts}, indent=2) + "\n"
