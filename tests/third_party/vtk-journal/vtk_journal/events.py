"""A run's events on disk: one JSON object a line."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def append(file: Path, event: Mapping[str, Any]) -> None:
    """Add an event. A line is written in one piece, so a reader sees whole events or a last one cut off."""
    with file.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(plain(event), ensure_ascii=False, allow_nan=False) + "\n")


def read(file: Path) -> Iterator[dict[str, Any]]:
    """The events in order. A last line that a killed process left unfinished is no event."""
    lines = file.read_text(encoding="utf-8").split("\n")
    for line in lines[:-1]:
        yield json.loads(line)


def cut_back(file: Path, step: int) -> None:
    """Forget what happened after ``step``, which a resumed run does again, and a line that was cut off."""
    kept = [event for event in read(file) if event.get("step", 0) <= step]
    replace(file, "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in kept))


def replace(file: Path, text: str) -> None:
    """Write a file so that a reader finds the old text or the new, never a part."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=file.parent, delete=False) as stream:
        stream.write(text)
    Path(stream.name).chmod(0o644)
    Path(stream.name).replace(file)


def plain(value: Any) -> Any:
    """What JSON knows; numbers that it does not know, NaN and the infinities, as text."""
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, str | int | float | bool | None) else str(value)
