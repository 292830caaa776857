"""Predicting many files of which some may be bad."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.errors import ExitCode, VtkError
from toolkit.hooks.results import owner_name, type_name, wrong_answer
from toolkit.system.jsonable import is_jsonable

if TYPE_CHECKING:
    from toolkit.hooks.catalogue import Catalogue
    from toolkit.inference.bundle import Bundle

CHUNK = 256
_FILE_FAULTS = {ExitCode.DATA, ExitCode.NO_INPUT, ExitCode.IO}


@dataclass(frozen=True)
class Prediction:
    """One file's record, or why there is none, or why it has no drawing."""

    file: Path
    record: dict[str, Any] | None = None
    error: VtkError | None = None


def require_predictions(directory: Path, catalogue: Catalogue | None = None) -> None:
    """Let the task of a run that left no bundle say that there is nothing to predict, and what to do instead.

    Raises:
        VtkError: the task's recipe has ``predicts`` False (exit code 64, or the task's own).
    """
    from toolkit.hooks.manager import build_manager
    from toolkit.inference.defaults import InferenceDefaults
    from toolkit.recipe.load import load_recipe
    from toolkit.recipe.source import RUN_RECIPE

    if (directory / "bundle").exists() or not (directory / RUN_RECIPE).is_file():
        return
    resolved = load_recipe(directory, catalogue=catalogue)
    if resolved.recipe.predicts:
        return
    manager = build_manager(InferenceDefaults(), [], resolved.task)
    if any(answer.plugin is resolved.task.plugin for answer in manager.hook.vtk_predict.get_hookimpls()):
        manager.hook.vtk_predict(bundle=None, inputs=[], drawings=None)
    raise VtkError(
        f"the task {resolved.recipe.task!r} predicts nothing: its runs leave no model behind",
        place=str(directory),
        code=ExitCode.USAGE,
    )


def predict_files(bundle: Bundle, files: Sequence[Path], folder: Path | None = None) -> Iterator[Prediction]:
    """A prediction for each file, in order. A bad file costs its own result and no other's.

    Args:
        folder: where the task draws its answers, a PNG for each file; ``drawing`` in the record names it.

    Raises:
        VtkError: the task cannot predict, or not draw, at all.
    """
    # A model that cannot be built is no fault of the files.
    _ = bundle.network
    if folder is None:
        yield from _in_chunks(bundle, files, None)
        return
    _require_drawing(bundle)
    names = free_names(files, folder)
    with _drawing_board(folder) as board:
        drafts = [board / name for name in names]
        for place, answer in enumerate(_in_chunks(bundle, files, drafts)):
            if answer.record is None:
                yield answer
                continue
            if not drafts[place].exists():
                yield replace(answer, error=_not_drawn(bundle, answer.file))
                continue
            drawing = folder / names[place]
            drafts[place].replace(drawing)
            yield Prediction(answer.file, record={**answer.record, "drawing": str(drawing)})


def free_names(files: Sequence[Path], folder: Path) -> list[str]:
    """A PNG's name for each file: its stem, numbered where files share it or where it would replace one of them."""
    taken = {file.name for file in files if file.parent.resolve() == folder.resolve()}
    names = []
    for file in files:
        name, number = f"{file.stem}.png", 2
        while name in taken:
            name, number = f"{file.stem}-{number}.png", number + 1
        taken.add(name)
        names.append(name)
    return names


@contextmanager
def _drawing_board(folder: Path) -> Iterator[Path]:
    """A folder beside the drawings in which they are made, so that none is ever seen half done."""
    from toolkit.system.files import removed_on_leaving, write_error

    try:
        folder.mkdir(parents=True, exist_ok=True)
        board = Path(tempfile.mkdtemp(prefix=".drawing.", dir=folder))
    except OSError as error:
        raise write_error(folder, error, flag="--draw") from error
    try:
        with removed_on_leaving(board):
            yield board
    finally:
        shutil.rmtree(board, ignore_errors=True)


def draws(bundle: Bundle) -> bool:
    """Whether the task can draw its answers."""
    return any("drawings" in answer.argnames for answer in bundle.manager.hook.vtk_predict.get_hookimpls())


def _require_drawing(bundle: Bundle) -> None:
    if not draws(bundle):
        raise VtkError(
            f"the task {bundle.task!r} does not draw its answers", hint="leave --draw out", code=ExitCode.UNAVAILABLE
        )


def _not_drawn(bundle: Bundle, file: Path) -> VtkError:
    owner = owner_name(bundle.manager.owner_of("vtk_predict"))
    message = f"was not drawn: vtk_predict of {owner} takes `drawings`, and has written none for this file"
    return VtkError(message, place=str(file), hint="leave --draw out", code=ExitCode.UNAVAILABLE)


def _in_chunks(bundle: Bundle, files: Sequence[Path], drawings: Sequence[Path] | None) -> Iterator[Prediction]:
    for start in range(0, len(files), CHUNK):
        chunk = slice(start, start + CHUNK)
        yield from _predict(bundle, files[chunk], drawings[chunk] if drawings is not None else None)


def _predict(bundle: Bundle, files: Sequence[Path], drawings: Sequence[Path] | None) -> Iterator[Prediction]:
    """Predict together; where that fails for a file's sake, halve until the bad ones stand alone."""
    try:
        records = bundle.manager.call("vtk_predict", bundle=bundle, inputs=list(files), drawings=drawings)
    except VtkError as error:
        if error.code not in _FILE_FAULTS:
            raise
        if len(files) == 1:
            yield Prediction(files[0], error=error)
            return
        middle = len(files) // 2
        for half in (slice(None, middle), slice(middle, None)):
            yield from _predict(bundle, files[half], drawings[half] if drawings is not None else None)
        return
    _require_records(bundle, records, len(files))
    for file, record in zip(files, records, strict=True):
        yield Prediction(file, record=record)


def _require_records(bundle: Bundle, records: Sequence[Mapping[str, Any]] | None, files: int) -> None:
    """One for each file, of values that JSON can say."""
    source = f"vtk_predict of {owner_name(bundle.manager.owner_of('vtk_predict'))}"
    if records is None or len(records) != files:
        found = "None" if records is None else f"{len(records)} record{'s' * (len(records) != 1)}"
        wanted = "it must return a list with one dict for each file, in the order of inputs"
        raise wrong_answer(f"{source} returned {found} for {files} file{'s' * (files != 1)}", wanted)
    for record in records:
        try:
            json.dumps(record)
        except (TypeError, ValueError) as error:
            key, value = next((item for item in record.items() if not is_jsonable(item[1])), ("?", record))
            raise wrong_answer(
                f"{source} returned a record with {type_name(value)} as {key!r}, which JSON cannot say",
                "give plain numbers, text, lists and dicts: float(...), .item(), .tolist(), str(path)",
            ) from error
