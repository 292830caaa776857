"""Hooks asked while a recipe is read, when there is neither run nor manager yet: ``vtk_config``, ``vtk_options``.

Each plugin is then asked by itself. Whoever wants to know of these calls takes notes of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from toolkit.hooks.entry import Plugin
from toolkit.hooks.loading import guarded


@dataclass(frozen=True)
class EarlyCall:
    """One call: when it began, by ``time.perf_counter``, how long it took, whether it gave something else than None."""

    hook: str
    entry: Plugin
    began: float
    seconds: float
    answered: bool


_notes: ContextVar[list[EarlyCall] | None] = ContextVar("notes", default=None)


@contextmanager
def record_calls(calls: list[EarlyCall]) -> Iterator[None]:
    """Adds to ``calls`` what is asked while the block runs."""
    token = _notes.set(calls)
    try:
        yield
    finally:
        _notes.reset(token)


def call_early(entry: Plugin, hook: str, function: Callable[[], Any]) -> Any:
    """The plugin's own answer to a hook, called without arguments.

    Raises:
        VtkError: the hook failed.
    """
    began = time.perf_counter()
    answer = None
    try:
        answer = guarded(entry, f"failed in {hook}", function)
    finally:
        notes = _notes.get()
        if notes is not None:
            notes.append(EarlyCall(hook, entry, began, time.perf_counter() - began, answer is not None))
    return answer
