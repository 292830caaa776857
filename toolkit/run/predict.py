"""Predicting many files of which some may be bad."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.errors import ExitCode, VtkError

if TYPE_CHECKING:
    from toolkit.models.bundle import Bundle

CHUNK = 256
_FILE_FAULTS = {ExitCode.DATA, ExitCode.NO_INPUT, ExitCode.IO}


@dataclass(frozen=True)
class Prediction:
    """One file's record, or why there is none."""

    file: Path
    record: dict[str, Any] | None = None
    error: VtkError | None = None


def predict_files(bundle: Bundle, files: Sequence[Path]) -> Iterator[Prediction]:
    """A prediction for each file, in order. A bad file costs its own result and no other's.

    Raises:
        VtkError: the task cannot predict at all.
    """
    # A model that cannot be built is no fault of the files.
    _ = bundle.network
    for start in range(0, len(files), CHUNK):
        yield from _predict(bundle, files[start : start + CHUNK])


def _predict(bundle: Bundle, files: Sequence[Path]) -> Iterator[Prediction]:
    """Predict together; where that fails for a file's sake, halve until the bad ones stand alone."""
    try:
        records = bundle.manager.hook.vtk_predict(bundle=bundle, inputs=list(files))
    except VtkError as error:
        if error.code not in _FILE_FAULTS:
            raise
        if len(files) == 1:
            yield Prediction(files[0], error=error)
            return
        middle = len(files) // 2
        yield from _predict(bundle, files[:middle])
        yield from _predict(bundle, files[middle:])
        return
    for file, record in zip(files, records, strict=True):
        yield Prediction(file, record=record)
