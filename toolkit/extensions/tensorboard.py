"""TensorBoard scalars: training and validation side by side, by epoch and by step.

Every value stands at the optimizer step it belongs to. Epoch values have the same tag in the writers ``train`` and
``val``, so that TensorBoard draws them into one chart.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pydantic import Field

from toolkit.bounds import Positive
from toolkit.errors import VtkError
from toolkit.hooks.specs import hookimpl
from toolkit.section import Section
from toolkit.system.disk_errors import write_error

if TYPE_CHECKING:
    from pathlib import Path

    from tensorboard.compat.proto.event_pb2 import Event

    from toolkit.run.run import Run

NAME = "tensorboard"
FOLDER = "tensorboard"
_NUMBERS = itertools.count()
_FLUSH_SECONDS = 10.0


class TensorBoardOptions(Section):
    """What is written for TensorBoard."""

    shapes_result = False

    points_per_second: Positive | None = Field(
        10.0,
        description="At most so many step records a second are written, evenly chosen; null writes every one. "
        "TensorBoard itself shows a thousand points of a curve.",
    )


class EventFile:
    """One file of events. TensorBoard's own writer has a thread, which tells of a full disk by a traceback.

    Args:
        folder: made, with the one above, where it is not there; what lies in it stays.

    Raises:
        VtkError: the disk takes no more; so does each method.
    """

    def __init__(self, folder: Path) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.summary.writer.record_writer import RecordWriter

        name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{next(_NUMBERS)}"
        self.path = folder / name
        with self._told():
            for level in (folder.parent, folder):  # not the run's directory, where that is gone
                level.mkdir(exist_ok=True)
            self._file = self.path.open("xb")
            self._records = RecordWriter(self._file)
        self.add(Event(wall_time=time.time(), file_version="brain.Event:2"))

    def add(self, event: Event) -> None:
        """Append an event."""
        with self._told():
            self._records.write(event.SerializeToString())

    def flush(self) -> None:
        """Make what was written visible to TensorBoard."""
        with self._told():
            self._file.flush()

    def close(self) -> None:
        """Write what is left and close the file."""
        with self._told():
            self._file.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise write_error(self.path, error) from error


class Writers:
    """One event file for each split, opened at its first value.

    Args:
        folder: where the splits' folders are made.
        purge_after: TensorBoard is told to forget what an interrupted process wrote beyond this step; or None.
    """

    def __init__(self, folder: Path, purge_after: int | None) -> None:
        self.folder = folder
        self.purge_after = purge_after
        self.logged_at = self._flushed_at = time.monotonic()
        self._open: dict[str, EventFile] = {}

    def add(self, split: str, step: int, values: Mapping[str, float]) -> None:
        """Write ``values`` by tag at ``step``, all in one event, which costs a fraction of one event each."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        if values:
            summary = Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()])
            self._writer(split).add(Event(wall_time=time.time(), step=step, summary=summary))

    def flush(self) -> None:
        """Make what was written visible to TensorBoard."""
        for writer in self._open.values():
            writer.flush()

    def flush_sometimes(self, now: float) -> None:
        """The same within a long epoch, where the last time is a while ago."""
        if now - self._flushed_at > _FLUSH_SECONDS:
            self._flushed_at = now
            self.flush()

    def close(self) -> None:
        """Close every file."""
        for writer in self._open.values():
            writer.close()

    def _writer(self, split: str) -> EventFile:
        if split not in self._open:
            self._open[split] = EventFile(self.folder / split)
            if self.purge_after is not None:
                self._purge(self._open[split], self.purge_after + 1)
        return self._open[split]

    def _purge(self, writer: EventFile, first: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog

        writer.add(Event(step=first, session_log=SessionLog(status=SessionLog.START)))


class TensorBoard:
    """The extension."""

    @hookimpl
    def vtk_config(self) -> type[Section]:
        """The options."""
        return TensorBoardOptions

    @hookimpl(wrapper=True)
    def vtk_fit(self, run: Run) -> Generator[None, Any, Any]:
        """Open the event files around training."""
        if run.directory is None:
            return (yield)
        purge_after = run.position.step if run.resumed else None
        writers = run.local[NAME] = Writers(run.directory / FOLDER, purge_after)
        try:
            result = yield
        except BaseException:
            with contextlib.suppress(VtkError):  # what ended the run counts
                writers.close()
            raise
        writers.close()
        return result

    @hookimpl
    def vtk_log(self, run: Run, records: Sequence[Mapping[str, float]]) -> None:
        """Write step records: ``step/loss``, ``step/lr``, ``step/grad_norm``, and the loss's terms."""
        writers: Writers | None = run.local.get(NAME)
        if writers is None:
            return
        options: TensorBoardOptions = run.options(NAME)
        now = time.monotonic()
        limit = _limit(options.points_per_second, now - writers.logged_at, len(records))
        writers.logged_at = now
        writers.flush_sometimes(now)
        for record in evenly(records, limit):
            values = {f"step/{name}": value for name, value in record.items() if name != "step"}
            writers.add("train", int(record["step"]), values)

    @hookimpl
    def vtk_epoch_end(self, run: Run, metrics: Mapping[str, float]) -> None:
        """Write the epoch's values, e.g. ``accuracy`` of ``train`` and of ``val``; then flush."""
        writers: Writers | None = run.local.get(NAME)
        if writers is None:
            return
        for split, values in by_split(metrics).items():
            writers.add(split, run.step, values)
        writers.flush()


def by_split(metrics: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """``{"val/loss": 1}`` as ``{"val": {"loss": 1}}``; names without a split belong to training."""
    splits: dict[str, dict[str, float]] = {}
    for name, value in metrics.items():
        split, slash, rest = name.partition("/")
        if not slash:
            split, rest = "train", name
        splits.setdefault(split, {})[rest] = value
    return splits


def evenly(records: Sequence[Mapping[str, float]], limit: int) -> list[Mapping[str, float]]:
    """At most ``limit`` of the records, evenly spaced, the last one always among them."""
    count = len(records)
    if count <= limit:
        return list(records)
    return [records[(i + 1) * count // limit - 1] for i in range(limit)]


def _limit(points_per_second: float | None, seconds: float, count: int) -> int:
    return count if points_per_second is None else max(1, round(points_per_second * seconds))


extension = TensorBoard()
