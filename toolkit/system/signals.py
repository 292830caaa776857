"""Ctrl-C and SIGTERM: finish the step, save, leave. A second signal leaves at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from toolkit.errors import ExitCode
from toolkit.system.leaving import CODES, leaving, watched


class Interrupted(Exception):
    """The run was asked to end by a signal; ``code`` is the exit code."""

    def __init__(self, code: ExitCode) -> None:
        super().__init__(f"interrupted ({code.name.lower()})")
        self.code = code


class Terminated(KeyboardInterrupt):
    """SIGTERM, outside of a run: what is at work gives way to it as to Ctrl-C."""


class Interrupt:
    """Remembers that a signal came. The loop asks :attr:`code` between steps, which costs an attribute."""

    def __init__(self) -> None:
        self.code: ExitCode | None = None

    def check(self) -> None:
        """Raise :class:`Interrupted` if a signal came."""
        if self.code is not None:
            raise Interrupted(self.code)

    def receive(self, number: int, _frame: FrameType | None) -> None:
        """The signal handler."""
        code = CODES[signal.Signals(number)]
        if self.code is not None:
            if watched():
                return
            # Checkpoints are renamed into place, so leaving at once cannot harm one.
            os._exit(code)
        self.code = code


@contextmanager
def catch_signals() -> Iterator[Interrupt]:
    """Route SIGINT and SIGTERM to an :class:`Interrupt` while the block runs (main thread only)."""
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    before = {number: signal.signal(number, interrupt.receive) for number in CODES}
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def own_signals(*, own_process: bool) -> Iterator[None]:
    """Within, SIGTERM raises :class:`Terminated`, as Ctrl-C raises ``KeyboardInterrupt``.

    Args:
        own_process: the process is there for this alone: whatever goes on in it, it ends soon after a signal.
    """
    if not own_process or threading.current_thread() is not threading.main_thread():
        yield
        return
    leaving()
    signal.signal(signal.SIGTERM, _terminate)
    yield


def _terminate(_number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, lambda *_: None)  # one is enough, also for what is cleaned up after it
    raise Terminated
