"""Progress of a run: a live line on a terminal, plain lines elsewhere. No training step waits for it.

A thread of its own looks at the run a few times a second; the loop only counts. Losses are those that the loop has
read from the device anyway.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from toolkit.bounds import Positive
from toolkit.extensions.watch import Watch, epoch_label
from toolkit.hooks.specs import hookimpl
from toolkit.section import Section
from toolkit.system.log import logger
from toolkit.system.progress import clock

if TYPE_CHECKING:
    from toolkit.run.run import Run

NAME = "progress"


class ProgressOptions(Section):
    """How progress is shown."""

    shapes_result = False

    refresh_seconds: Positive = Field(0.25, description="Time between two updates of the display.")
    line_seconds: Positive = Field(
        15.0, description="Time between two lines within an epoch where there is no terminal."
    )
    plain: bool = Field(False, description="Print plain lines on a terminal too.")


class Progress:
    """The extension."""

    @hookimpl
    def vtk_config(self) -> type[Section]:
        """The options."""
        return ProgressOptions

    @hookimpl(wrapper=True)
    def vtk_fit(self, run: Run) -> Generator[None, Any, Any]:
        """Show a display around the whole of training, whatever ends it."""
        if run.console.quiet and not logger.isEnabledFor(logging.INFO):
            return (yield)
        from toolkit.extensions.displays import LiveDisplay, PlainDisplay

        options: ProgressOptions = run.options(NAME)
        watch = run.local[NAME] = Watch(run)
        live = run.console.is_terminal and not (options.plain or run.console.quiet)
        watch.display = (
            LiveDisplay(watch, options.refresh_seconds)
            if live
            else PlainDisplay(watch, options.refresh_seconds, options.line_seconds)
        )
        with watch.display:
            return (yield)

    @hookimpl
    def vtk_log(self, run: Run, records: Sequence[Mapping[str, float]]) -> None:
        """Take over the running loss; print it every ``train.log_every`` steps."""
        watch: Watch | None = run.local.get(NAME)
        if watch is None:
            return
        watch.loss = run.losses.means().get("loss")
        if run.recipe.train.log_every is not None:
            self._print_running_loss(watch, records, run.recipe.train.log_every)

    @hookimpl
    def vtk_epoch_end(self, run: Run, metrics: Mapping[str, float]) -> None:
        """Print the epoch's metrics and its time."""
        watch: Watch | None = run.local.get(NAME)
        if watch is None:
            return
        now = time.monotonic()
        epoch = epoch_label(run, run.position.stage_epoch)
        run.say(f"{epoch} · {epoch_summary(run, metrics)} · {clock(now - watch.epoch_began)}")
        watch.epoch_began, watch.loss, watch.recent = now, None, []

    def _print_running_loss(self, watch: Watch, records: Sequence[Mapping[str, float]], every: int) -> None:
        run = watch.run
        for record in records:
            watch.recent.append(record["loss"])
            step = int(record["step"]) - (run.position.step - run.position.epoch_step)
            if step % every == 0:
                mean = sum(watch.recent) / len(watch.recent)
                run.say(f"{epoch_label(run)} · step {step}/{run.epoch_steps} · loss {mean:.4g}")
                watch.recent = []


def epoch_summary(run: Run, metrics: Mapping[str, float]) -> str:
    """``train loss 0.52 accuracy 0.81 · val loss 0.61 accuracy 0.78 (best)``.

    Where there is validation, only the loss and the metric that chooses the best weights are shown; all of them are
    in the logs.
    """
    wanted = {"loss", main_metric(run, metrics)} if run.val_loader is not None else set()
    by_split: dict[str, list[str]] = {}
    for key, value in metrics.items():
        split, _, name = key.rpartition("/")
        if split and name != "grad_norm" and (not wanted or name in wanted):
            by_split.setdefault(split, []).append(f"{name} {value:.4g}")
    line = " · ".join(f"{split} {' '.join(values)}" for split, values in by_split.items())
    return f"{line} (best)" if run.best and run.best.epoch == run.epoch else line


def main_metric(run: Run, metrics: Mapping[str, float]) -> str:
    """The metric that chooses the best weights, else the task's first, else the loss; without its split."""
    if run.best is not None:
        return run.best.metric.rpartition("/")[2]
    named = (name.partition("/")[2] for name in metrics if name.startswith("val/"))
    return next((name for name in named if name != "loss"), "loss")


extension = Progress()
