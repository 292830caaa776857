"""What displays of progress read: a run, its pace and its running loss, and what they say of them in words."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from toolkit.extensions.pace import Pace
from toolkit.system.progress import clock

if TYPE_CHECKING:
    from toolkit.run.run import Run

__all__ = ["Display", "Watch", "epoch_label", "rate", "time_left"]


class Display(Protocol):
    """A context in which progress is shown."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@dataclass
class Watch:
    """What the displays read: the run, its pace, and the running loss as it was last read from the device."""

    run: Run
    pace: Pace = field(default_factory=Pace)
    loss: float | None = None
    epoch_began: float = field(default_factory=time.monotonic)
    recent: list[float] = field(default_factory=list)
    display: Display | None = None

    def look(self) -> None:
        """Refresh the pace."""
        self.pace.look(self.run, time.monotonic())


def epoch_label(run: Run, number: int | None = None) -> str:
    """``epoch 3/10``, with the stage's name where there are several stages."""
    number = run.position.stage_epoch + 1 if number is None else number
    total = run.stage.total_epochs
    label = f"epoch {min(number, total)}/{total}"
    return f"{run.stage.name} {label}" if len(run.stages) > 1 else label


def rate(watch: Watch) -> str:
    """``1,234 samples/s``, or steps a second where a batch is one sample."""
    speed = watch.pace.steps_per_second
    if speed is None:
        return ""
    train = watch.run.recipe.train
    samples = train.batch_size * train.accumulate
    number, unit = (speed, "steps/s") if samples == 1 else (speed * samples, "samples/s")
    return f"{number:,.0f} {unit}" if number >= 10 else f"{number:.2g} {unit}"


def time_left(watch: Watch) -> str:
    """``12:05 left``, or nothing while it is not known."""
    seconds = watch.pace.seconds_left(watch.run)
    return "" if seconds is None else f"{clock(seconds)} left"
