"""``metrics.jsonl``: one JSON object for each epoch, on the disk before the next epoch begins.

The rows hold no times: a run that was interrupted and resumed leaves the same file as one that was not.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from pydantic import Field

from toolkit.hooks.specs import hookimpl
from toolkit.section import Section
from toolkit.system.files import write_atomic, write_error
from toolkit.system.jsonable import finite

if TYPE_CHECKING:
    from pathlib import Path

    from toolkit.run.run import Run

NAME = "metrics"
EPOCHS = "metrics.jsonl"
STEPS = "steps.jsonl"


class MetricsOptions(Section):
    """What is logged as JSON lines."""

    shapes_result = False

    steps: bool = Field(False, description="Also write one row for each optimizer step, to steps.jsonl.")


class JsonLines:
    """A file of JSON objects, one a line, that is appended to.

    Args:
        path: the file.
        key: the row's key that counts, e.g. ``epoch``.
        last: rows that count beyond it are cut, as is a row that was being written when the process died.
    """

    def __init__(self, path: Path, key: str, last: int) -> None:
        self.path = path
        if path.exists():
            write_atomic(path, "".join(f"{line}\n" for line in _lines_until(path, key, last)))
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
            self._file: TextIO = os.fdopen(os.open(path, flags, 0o666), "a", encoding="utf-8")
        except OSError as error:
            raise write_error(path, error) from error

    def append(self, rows: Sequence[Mapping[str, Any]], *, sync: bool) -> None:
        """Add rows, on the disk before this returns if ``sync``.

        Raises:
            VtkError: the disk is full.
        """
        try:
            self._file.writelines(json.dumps(finite(row), ensure_ascii=False) + "\n" for row in rows)
            self._file.flush()
            if sync:
                os.fsync(self._file.fileno())
        except OSError as error:
            raise write_error(self.path, error) from error

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(OSError):
            self._file.close()


def _lines_until(path: Path, key: str, last: int) -> list[str]:
    kept = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and isinstance(row.get(key), int) and row[key] <= last:
            kept.append(line)
    return kept


class MetricsLog:
    """The extension."""

    @hookimpl
    def vtk_config(self) -> type[Section]:
        """The options."""
        return MetricsOptions

    @hookimpl(wrapper=True)
    def vtk_fit(self, run: Run) -> Generator[None, Any, Any]:
        """Open the files around training."""
        if run.directory is None:
            return (yield)
        options: MetricsOptions = run.options(NAME)
        files = run.local[NAME] = {"epoch": JsonLines(run.directory / EPOCHS, "epoch", run.epoch)}
        if options.steps:
            files["step"] = JsonLines(run.directory / STEPS, "step", run.step)
        for file in files.values():
            run.seal_file(file.path.name)
        try:
            return (yield)
        finally:
            for file in files.values():
                file.close()

    @hookimpl
    def vtk_log(self, run: Run, records: Sequence[Mapping[str, float]]) -> None:
        """Write step records, if asked for."""
        file: JsonLines | None = run.local.get(NAME, {}).get("step")
        if file is not None:
            file.append([{**record, "step": int(record["step"])} for record in records], sync=False)

    @hookimpl
    def vtk_epoch_end(self, run: Run, metrics: Mapping[str, float]) -> None:
        """Write the epoch's row."""
        file: JsonLines | None = run.local.get(NAME, {}).get("epoch")
        if file is not None:
            file.append([{"epoch": run.epoch, "step": run.step, "stage": run.stage.name, **metrics}], sync=True)


extension = MetricsLog()
