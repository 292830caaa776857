"""Where a run stands: its stages, what is completed, and the best so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Best", "Position", "Stage"]


@dataclass(frozen=True)
class Stage:
    """A part of a run with its own optimizer and its own trainable parameters.

    Exactly one of ``epochs`` and ``steps`` is set. ``section`` is the recipe's own :class:`~toolkit.StageSection`, with
    whatever keys the task added to it; None where the recipe has no ``stages``. ``batches`` is the number of optimizer
    steps that one pass over the training data gives; the core sets it once the stage's loader is built, before
    ``vtk_optimizer``. ``higher_is_better`` is the direction of the metric that a plateau schedule watches; the core
    sets it as well.
    """

    index: int
    name: str
    epochs: int | None
    steps: int | None
    steps_per_epoch: int | None
    optimizer: Any
    schedule: Any
    section: Any = None
    batches: int = 0
    higher_is_better: bool = False

    @property
    def epoch_steps(self) -> int:
        """Optimizer steps in one epoch."""
        if self.steps is None:
            return self.batches
        return min(self.steps_per_epoch or self.batches, self.steps)

    @property
    def total_steps(self) -> int:
        """Optimizer steps in the whole stage."""
        return self.steps if self.steps is not None else (self.epochs or 0) * self.batches

    @property
    def total_epochs(self) -> int:
        """Epochs in the whole stage; the last of a stage that counts steps may be short."""
        return self.epochs if self.epochs is not None else -(-self.total_steps // max(self.epoch_steps, 1))


@dataclass
class Position:
    """Where a run stands. Everything counts completed work."""

    stage: int = 0
    epoch: int = 0
    step: int = 0
    stage_epoch: int = 0
    stage_step: int = 0
    epoch_step: int = 0


@dataclass
class Best:
    """The best epoch so far by the recipe's ``train.best``."""

    metric: str
    higher_is_better: bool
    value: float | None = None
    epoch: int = 0
    step: int = 0

    def improves(self, value: float) -> bool:
        """Whether ``value`` beats the best so far; a NaN never does."""
        if value != value:
            return False
        if self.value is None:
            return True
        return value > self.value if self.higher_is_better else value < self.value
