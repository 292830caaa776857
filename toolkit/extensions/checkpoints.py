"""Saves resumable checkpoints while a run trains."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from pydantic import Field

from toolkit import Run, Section, hookimpl
from toolkit.bounds import MOST_EPOCHS, Epochs, Positive

NAME = "checkpoints"


class CheckpointOptions(Section):
    """When checkpoints are saved and how many are kept."""

    shapes_result = False

    every: Epochs = Field(1, description="Epochs between two checkpoints; the last epoch always has one.")
    minutes: Positive | None = Field(
        10.0, description="Also save in the middle of an epoch when this much time has passed; null for never."
    )
    keep: int = Field(2, ge=2, le=MOST_EPOCHS, description="How many are kept.")


class Checkpoints:
    """Asks the core to save; the core knows how."""

    @hookimpl
    def vtk_config(self) -> type[Section]:
        """The options."""
        return CheckpointOptions

    @hookimpl(wrapper=True)
    def vtk_fit(self, run: Run) -> Generator[None, Any, Any]:
        """Start the clock."""
        run.checkpoints_kept = run.options(NAME).keep
        run.local[NAME] = time.monotonic()
        return (yield)

    @hookimpl
    def vtk_log(self, run: Run, records: Sequence[Mapping[str, float]]) -> None:
        """Save within a long epoch."""
        minutes = run.options(NAME).minutes
        if minutes is not None and time.monotonic() - run.local[NAME] >= 60 * minutes:
            self._request(run)

    @hookimpl
    def vtk_epoch_end(self, run: Run, metrics: Mapping[str, float]) -> None:
        """Save after every so many epochs."""
        if run.epoch % run.options(NAME).every == 0:
            self._request(run)

    def _request(self, run: Run) -> None:
        run.local[NAME] = time.monotonic()
        run.request_checkpoint()


extension = Checkpoints()
