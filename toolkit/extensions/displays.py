"""The two displays of progress: a live line that rich redraws on a terminal, and plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from toolkit.extensions.watch import Watch, epoch_label, rate, time_left

if TYPE_CHECKING:
    from rich.console import RenderableType


EVALUATING = {"test", "final"}


class LiveDisplay:
    """One line that is redrawn in place by rich's own thread."""

    def __init__(self, watch: Watch, refresh_seconds: float) -> None:
        self.watch = watch
        self._live = Live(
            console=watch.run.console,
            get_renderable=self.render,
            refresh_per_second=1 / refresh_seconds,
            transient=True,
            redirect_stdout=sys.stdout.isatty(),
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def render(self) -> RenderableType:
        """The line as it is now."""
        self.watch.look()
        done, total = position(self.watch)
        line = Table.grid(padding=(0, 2))
        loss = f"loss {self.watch.loss:.4g}" if self.watch.loss is not None else ""
        line.add_row(
            heading(self.watch),
            ProgressBar(total=total or None, completed=done, width=30, pulse=not total),
            f"{done}/{total}" if total else "",
            loss,
            rate(self.watch),
            time_left(self.watch),
        )
        return line


class PlainDisplay:
    """A line now and then within an epoch, from a thread of its own."""

    def __init__(self, watch: Watch, refresh_seconds: float, line_seconds: float) -> None:
        self.watch = watch
        self._refresh_seconds, self._line_seconds = refresh_seconds, line_seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tick, name="vtk-progress", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def line(self) -> str:
        """Where the run is, how fast it goes, and how long it still takes."""
        done, total = position(self.watch)
        loss = f"loss {self.watch.loss:.4g}" if self.watch.loss is not None else ""
        where = f"{heading(self.watch)} {done}/{total}" if total else heading(self.watch)
        return " · ".join(part for part in (where, loss, rate(self.watch), time_left(self.watch)) if part)

    def _tick(self) -> None:
        spoke = time.monotonic()
        while not self._over.wait(self._refresh_seconds):
            self.watch.look()
            now = time.monotonic()
            if now - max(spoke, self.watch.epoch_began) >= self._line_seconds:
                spoke = now
                self.watch.run.say(self.line())


def heading(watch: Watch) -> str:
    """``epoch 3/10 train``; outside of training, what is being done."""
    run = watch.run
    if run.phase in EVALUATING:
        return "evaluating"
    if run.stage is None or run.stage.batches == 0:
        return "preparing"
    if not run.epoch_steps:
        return "finishing"
    return f"{epoch_label(run)} {run.phase}"


def position(watch: Watch) -> tuple[int, int]:
    """Done and all batches of what the run is busy with: validation, or the epoch's optimizer steps."""
    run = watch.run
    if run.phase == "val" or run.phase in EVALUATING:
        return run.eval_done, run.eval_total
    if run.stage is None or run.stage.batches == 0:
        return 0, 0
    return run.position.epoch_step, run.epoch_steps
