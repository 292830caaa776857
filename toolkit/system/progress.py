"""How far long work is: whoever does it counts, and whoever listens shows it. Knows neither consoles nor runs.

Who does it counts with :func:`step`; a :class:`Listener` is told of what is done within :func:`listening`::

    with step("listing files") as listing:
        listing.more(1000)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["Listener", "Step", "clock", "listening", "step"]


@dataclass(eq=False)
class Step:
    """One piece of work.

    Args:
        what: in words, as in ``listing files``.
        total: how much there is to do; None where nobody knows before it is done.
        unit: what is counted.
        done: how much is done.
        began: on the monotonic clock, in seconds.
        check: set by a listener that may want the work to end: called by :meth:`more`, and raises then.
    """

    what: str
    total: int | None = None
    unit: str = "files"
    done: int = 0
    began: float = field(default_factory=time.monotonic)
    check: Callable[[], None] | None = None

    def more(self, count: int = 1) -> None:
        """So much more is done. Costs an addition and a call: a display looks by itself, when it likes."""
        self.done += count
        if self.check is not None:
            self.check()


class Listener(Protocol):
    """Told when work begins and ends; may look at the steps in between, from another thread too."""

    def begin(self, step: Step, /) -> None: ...

    def end(self, step: Step, /) -> None: ...


_LISTENER: ContextVar[Listener | None] = ContextVar("vtk_progress_listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Tells ``listener`` of every step that is done within."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


@contextmanager
def step(what: str, total: int | None = None, unit: str = "files") -> Iterator[Step]:
    """A piece of work that may take a while. See :class:`Step`."""
    listener, made = _LISTENER.get(), Step(what, total, unit)
    if listener is None:
        yield made
        return
    listener.begin(made)
    try:
        yield made
    finally:
        listener.end(made)


def clock(seconds: float) -> str:
    """Seconds as ``0:42``, ``12:05`` or ``3:07:00``."""
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
