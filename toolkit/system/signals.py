"""Ctrl-C and SIGTERM: finish the step, save, leave. A second signal leaves at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from toolkit.errors import ExitCode

_CODES = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}


class Interrupted(Exception):
    """The run was asked to end by a signal; ``code`` is the exit code."""

    def __init__(self, code: ExitCode) -> None:
        super().__init__(f"interrupted ({code.name.lower()})")
        self.code = code


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
        code = _CODES[signal.Signals(number)]
        if self.code is not None:
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
    before = {number: signal.signal(number, interrupt.receive) for number in _CODES}
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
