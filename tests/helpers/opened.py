"""Which files this process opens and looks at, counted while it does so."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_COUNTS: list[tuple[str, Counter[str]]] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _COUNTS and isinstance(arguments[0], str | bytes | os.PathLike):
        for folder, counts in _COUNTS:
            _note(folder, counts, arguments[0])


def _note(folder: str, counts: Counter[str], path: Any) -> None:
    name = os.path.abspath(os.fsdecode(path))
    if name.startswith(folder + os.sep):
        counts[name[len(folder) + 1 :]] += 1


sys.addaudithook(_hook)  # cannot be removed; without anybody who counts it does nothing


@contextmanager
def opened(folder: Path) -> Iterator[Counter[str]]:
    """How often each file below ``folder`` is opened within, by its path from there."""
    counts: Counter[str] = Counter()
    _COUNTS.append((os.path.abspath(folder), counts))
    try:
        yield counts
    finally:
        _COUNTS.pop()


@contextmanager
def looked_at(folder: Path) -> Iterator[Counter[str]]:
    """How often the state of each file or folder below ``folder`` is asked for with ``os.stat`` within."""
    counts: Counter[str] = Counter()
    real = os.stat

    def counting(path: Any, *args: Any, **options: Any) -> os.stat_result:
        if isinstance(path, str | bytes | os.PathLike):
            _note(os.path.abspath(folder), counts, path)
        return real(path, *args, **options)

    os.stat = counting
    try:
        yield counts
    finally:
        os.stat = real
