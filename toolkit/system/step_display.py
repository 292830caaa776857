"""Shows the steps of what takes a while outside of training: a bar on a terminal, plain lines elsewhere.

Nothing is shown of what lasts less than a second. A thread of its own looks at the steps; whoever works only counts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from toolkit.system.progress import Step, clock, listening

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["StepDisplay", "step_line"]

PATIENCE = 1.0
"""Seconds that a step may last without a word."""

LINE_SECONDS = 5.0
"""Seconds between two lines of a step where there is no terminal."""

_LOOK_SECONDS = 0.2


class StepDisplay:
    """A context within which steps are shown: see :mod:`toolkit.system.progress`.

    Args:
        console: where to; a quiet one shows nothing.
        check: called now and then by whoever works; may raise to end it.
    """

    def __init__(self, console: Console, check: Callable[[], None] | None = None) -> None:
        self._console, self._check = console, check
        self._steps: list[Step] = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_on, name="vtk-steps", daemon=True)
        self._bar: Any = None
        self._shown: Step | None = None
        self._last_line = 0.0
        self._entered = ExitStack()

    def __enter__(self) -> Self:
        self._entered.enter_context(listening(self))
        if not self._console.quiet:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._end_bar()
        self._entered.close()

    def begin(self, step: Step) -> None:
        """A step within those that are not over yet."""
        step.check = self._check
        with self._lock:
            self._steps.append(step)

    def end(self, step: Step) -> None:
        """The step is over, as are those within it; where it was shown in lines, the last line says so."""
        with self._lock:
            del self._steps[self._steps.index(step) :]
            if self._shown is step:
                self._shown = None
                if self._bar is None:
                    self._say(f"{step.what}: {step.done:,} {step.unit} in {clock(time.monotonic() - step.began)}")
                self._end_bar()

    def _look_on(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            with self._lock:
                now = time.monotonic()
                lasting = [step for step in self._steps if now - step.began >= PATIENCE]
                if lasting:
                    (self._draw if self._console.is_terminal else self._tell)(lasting, now)

    def _tell(self, lasting: Sequence[Step], now: float) -> None:
        """A line of the innermost step, now and then; of the outermost once it is over."""
        if self._shown is not lasting[0] or now - self._last_line >= LINE_SECONDS:
            self._shown, self._last_line = lasting[0], now
            self._say(step_line(lasting[-1], now))

    def _draw(self, lasting: Sequence[Step], now: float) -> None:
        self._shown, step = lasting[0], lasting[-1]
        if self._bar is None:
            from rich.progress import BarColumn, Progress, TextColumn

            text = TextColumn("{task.description}", markup=False)
            self._bar = Progress(BarColumn(bar_width=20), text, console=self._console, transient=True)
            self._bar.add_task("")
            self._bar.start()
        self._bar.update(0, description=step_line(step, now), completed=step.done, total=step.total)

    def _end_bar(self) -> None:
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.stop()

    def _say(self, line: str) -> None:
        with suppress(OSError, ValueError, SystemExit):  # whoever read along is gone; the work goes on
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def step_line(step: Step, now: float) -> str:
    """What is done, how far it is, how fast it goes and how long it will take, as far as that is known."""
    seconds = max(now - step.began, 1e-9)
    if not step.done:
        return f"{step.what} · {clock(seconds)}"
    rate = step.done / seconds
    speed = f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.2g}/s"
    if step.total is None:
        return f"{step.what} · {step.done:,} {step.unit} · {speed}"
    left = clock(max(step.total - step.done, 0) / rate)
    return f"{step.what} · {step.done:,} of {step.total:,} {step.unit} · {speed} · {left} left"
