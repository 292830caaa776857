"""The form of a checkpoint's state. What has another, or fits no model of this run, is refused before it is used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from toolkit.errors import VtkError, is_out_of_memory
from toolkit.run.checkpoint.store import FOLDER, CheckpointStore

if TYPE_CHECKING:
    from toolkit.run.run import Run

__all__ = ["fitting", "require_form"]

Count = Annotated[int, Field(ge=0)]
_ANEW = "It was not written by vtk, or by another version: start the run anew."


class _Form(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", arbitrary_types_allowed=True)


class _Position(_Form):
    stage: Count
    epoch: Count
    step: Count
    stage_epoch: Count
    stage_step: Count
    epoch_step: Count


class _Best(_Form):
    metric: str
    higher_is_better: bool
    value: float | None
    epoch: Count
    step: Count


class _Precision(_Form):
    model_config = ConfigDict(extra="allow")
    name: Literal["fp32", "bf16", "fp16"]


class _Recipe(_Form):
    values: dict[str, Any]
    free: list[str]


class _Data(_Form):
    how: Literal["content", "times"]
    marks: dict[str, np.ndarray[Any, np.dtype[np.int64]]]
    fingerprint: str | None


class _File(_Form):
    bytes: Count
    sha256: str


class _Seal(_Form):
    recipe: _Recipe
    data: _Data
    files: dict[str, _File]


class SnapshotForm(_Form):
    """Everything at the top of a checkpoint's tree."""

    model_config = ConfigDict(extra="ignore")

    position: _Position
    best: _Best | None
    history: list[dict[str, Any]]
    plugins: dict[str, dict[str, Any]]
    precision: _Precision | None
    stop_reason: str | None
    skipped: dict[str, dict[str, str]] = {}
    seal: _Seal | None = None
    accepted: list[dict[str, Any]] = []
    model: dict[str, torch.Tensor | Any]
    optimizer: dict[str, Any]
    scheduler: dict[str, Any] | None
    scaler: dict[str, Any] | None
    losses: Any
    outputs: Any
    random: dict[str, Any]


def require_form(tree: Any, directory: Path) -> SnapshotForm:
    """The tree of a checkpoint, if it has the form of one.

    Raises:
        VtkError: it has not (exit code 65).
    """
    try:
        return SnapshotForm.model_validate(tree)
    except (ValidationError, RecursionError) as error:
        where = _first(error) if isinstance(error, ValidationError) else "nested too deeply"
        raise VtkError(f"the checkpoint has another form: {where}", place=str(directory), hint=_ANEW) from error


@contextmanager
def fitting(run: Run, what: str) -> Iterator[None]:
    """Within, state that cannot be put back is told as the checkpoint's fault.

    Raises:
        VtkError: it does not fit this run (exit code 65).
    """
    try:
        yield
    except (RuntimeError, ValueError, TypeError, LookupError, AttributeError) as error:
        if is_out_of_memory(error):
            raise
        detail = next(iter(str(error).splitlines()), type(error).__name__)
        detail = _first(error) if isinstance(error, ValidationError) else detail
        message = f"the checkpoint does not fit this run: {what}: {detail}"
        raise VtkError(message, place=_place(run), hint=_ANEW) from error


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the whole'}: {first['msg']}"


def _place(run: Run) -> str:
    """The file that the state was read from; nothing has been saved since."""
    return str(run.directory and CheckpointStore(run.directory / FOLDER).state_file(run.step))
