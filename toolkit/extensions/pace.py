"""How fast a run goes and how long it still takes, from looks at its position."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from toolkit.run.run import Run

WINDOW = 10.0


class Pace:
    """Optimizer steps a second over the last ten seconds of training, and what is left at that pace.

    It costs the training thread nothing: a display's own thread calls :meth:`look` whenever it likes.
    """

    def __init__(self) -> None:
        self.steps_per_second: float | None = None
        self._looks: deque[tuple[float, int]] = deque()
        self._validation_began: float | None = None
        self._validations: list[float] = []

    def look(self, run: Run, now: float) -> None:
        """Take note of where ``run`` stands at ``now``, in seconds on any clock that only goes forward."""
        if run.phase == "train":
            self._end_validation(now)
            self._add(now, run.position.step)
        else:
            self._looks.clear()
            if run.phase == "val" and self._validation_began is None:
                self._validation_began = now

    def seconds_left(self, run: Run) -> float | None:
        """Seconds until the last stage is over, validations included; None while nothing is known."""
        if not self.steps_per_second or run.stage is None:
            return None
        steps, validations = _remaining(run)
        each = sum(self._validations) / len(self._validations) if self._validations else 0.0
        return steps / self.steps_per_second + validations * each

    def _add(self, now: float, step: int) -> None:
        looks = self._looks
        if looks and looks[-1][1] == step:
            return
        looks.append((now, step))
        while len(looks) > 2 and now - looks[1][0] >= WINDOW:
            looks.popleft()
        (began, first), (ended, last) = looks[0], looks[-1]
        if last > first and ended > began:
            self.steps_per_second = (last - first) / (ended - began)

    def _end_validation(self, now: float) -> None:
        if self._validation_began is not None:
            self._validations.append(now - self._validation_began)
            self._validation_began = None


def _remaining(run: Run) -> tuple[int, float]:
    """Optimizer steps and validations that are still to come. A later stage is taken to have as many batches."""
    batches = run.stage.batches
    steps = run.stage.total_steps - run.position.stage_step
    epochs: float = run.stage.total_epochs - run.position.stage_epoch
    for stage in run.stages[run.stage.index + 1 :]:
        steps += stage.steps if stage.steps is not None else (stage.epochs or 0) * batches
        epochs += (
            stage.epochs if stage.epochs is not None else (stage.steps or 0) / (stage.steps_per_epoch or batches or 1)
        )
    return max(steps, 0), max(epochs, 0) / run.recipe.train.validate_every
