"""``vtk predict``: what a finished run says of image files."""

from __future__ import annotations

import base64
import csv
import glob
import io
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolkit.cli.echo import echo, echo_exact
from toolkit.cli.failures import format_error
from toolkit.cli.options import device_option, json_option
from toolkit.cli.output import print_json, print_table
from toolkit.cli.verb import Verb
from toolkit.errors import ExitCode, VtkError

if TYPE_CHECKING:
    from toolkit.inference.predict import Prediction

EXAMPLES = """
vtk predict runs/digits-20260101-120000 scan.png
vtk predict runs/catsdogs-20260101-120000 photos/ --top 3
vtk predict runs/catsdogs-20260101-120000 'photos/**/*.jpg' --csv > answers.csv
vtk predict runs/streets-20260101-120000 photos/ --draw answers/
"""
TOP = "top"

# What spreadsheets take for the beginning of a formula (OWASP, CSV injection), also in full width.
_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)


@click.command(cls=Verb, examples=EXAMPLES, short_help="Predict image files with a finished run.")
@click.argument("run")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--top",
    type=click.IntRange(1, 100),
    metavar="K",
    help="Show the K likeliest answers, where the task ranks them; --json has all that it ranked.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Comma-separated values on stdout.")
@click.option("--draw", metavar="FOLDER", help="Draw each answer as a PNG into FOLDER, where the task can.")
@json_option
@device_option
def command(
    run: str, files: tuple[str, ...], top: int | None, as_csv: bool, draw: str | None, as_json: bool, device: str | None
) -> ExitCode:
    """Predict FILEs with a finished RUN (its directory, or a bundle).

    A FILE is an image, a folder (all images in it), or a quoted pattern such as '*.jpg'. A bad file is reported on
    stderr, the others are predicted all the same, and the exit code is 65 (66 if files were missing and nothing worse).
    """
    if as_csv and as_json:
        raise click.UsageError("give either --csv or --json")
    paths, missing = find_files(files)
    answers = list(missing)
    if paths:
        from toolkit.inference.bundle import Bundle
        from toolkit.inference.predict import predict_files, require_predictions
        from toolkit.system.opencv import single_threaded

        require_predictions(Path(run))
        bundle = Bundle.load(run, device=device or "auto")
        with single_threaded():
            answers += predict_files(bundle, paths, Path(draw) if draw is not None else None)
    show(run, answers, top, as_csv=as_csv, as_json=as_json)
    return exit_code(answers)


def find_files(names: Sequence[str]) -> tuple[list[Path], list[Prediction]]:
    """The files that the arguments mean, in order, and what is not there."""
    from toolkit.inference.predict import Prediction

    found: list[Path] = []
    missing: list[Prediction] = []
    for name in names:
        try:
            found += _expand(name)
        except VtkError as error:
            missing.append(Prediction(Path(name), error=error))
    return found, missing


def _expand(name: str) -> Iterator[Path]:
    from toolkit.data.io.scan import is_picture_name

    path = Path(name)
    if path.is_dir():
        return _pictures_in(path)
    if path.exists() or not glob.has_magic(name):
        if not path.exists():
            raise _missing(name, "does not exist")
        return iter([path])
    matches = [Path(match) for match in sorted(glob.glob(name, recursive=True)) if is_picture_name(match)]
    if not matches:
        raise _missing(name, "no image matches this pattern")
    return iter(matches)


def _pictures_in(folder: Path) -> Iterator[Path]:
    """The folder's pictures; those that runs drew for their reports are nobody's photographs."""
    from toolkit.data.io.scan import RUN, look_through
    from toolkit.system.log import log_said

    found = look_through(folder, {})
    runs = [path for path, reason in found.left_out if reason == RUN]
    if "" in runs:
        hint = "its pictures are its own reports; give the pictures to predict on"
        raise _missing(str(folder), "this is the directory of a run", hint)
    if not found.pictures:
        raise _missing(str(folder), "there is no image in this folder")
    for path in runs:
        note = f"note: {folder / path}/ is left out: the directory of a run"
        echo(note, err=True)
        log_said(note)
    return (folder / picture for picture in found.pictures)


def _missing(name: str, message: str, hint: str | None = None) -> VtkError:
    return VtkError(message, place=name, hint=hint, code=ExitCode.NO_INPUT)


def show(run: str, answers: Sequence[Prediction], top: int | None, *, as_csv: bool, as_json: bool) -> None:
    """Results on stdout, errors on stderr."""
    records = [limited(answer.record, top) for answer in answers if answer.record is not None]
    errors = [answer.error for answer in answers if answer.error is not None]
    for error in errors:
        echo(format_error(error), err=True)
    if as_json:
        failed = [{"file": str(a.file), "error": a.error.message} for a in answers if a.error is not None]
        predictions = [with_bytes(record) for record in records]
        print_json({"run": run, "predictions": predictions, "errors": [with_bytes(record) for record in failed]})
    elif records:
        rows = [flat(record, ranked=top is not None) for record in records]
        columns = list(dict.fromkeys(column for row in rows for column in row))
        cells = [[row.get(column) for column in columns] for row in rows]
        if as_csv:
            echo_exact(as_csv_text(columns, cells))
        else:
            print_table(columns, cells)


def with_bytes(record: dict[str, Any]) -> dict[str, Any]:
    """The record; where its file's name is no UTF-8, also the name's bytes, as base64 (RFC 4648)."""
    name = record.get("file")
    if not isinstance(name, str) or not any("\ud800" <= c <= "\udfff" for c in name):
        return record
    return {**record, "file_base64": base64.b64encode(os.fsencode(name)).decode()}


def limited(record: dict[str, Any], top: int | None) -> dict[str, Any]:
    """The record with at most ``top`` ranked answers; as the task gave it where nobody asked for fewer."""
    if top is None or not isinstance(record.get(TOP), list):
        return record
    return {**record, TOP: record[TOP][:top]}


def flat(record: dict[str, Any], *, ranked: bool) -> dict[str, Any]:
    """One row: the record's plain values; with ``ranked`` also each ranked answer's, numbered from 2 on."""
    row = {key: value for key, value in record.items() if not isinstance(value, list | dict)}
    answers = record.get(TOP) if ranked else None
    for place, answer in enumerate(answers[1:] if isinstance(answers, list) else [], start=2):
        row |= {f"{key}_{place}": value for key, value in answer.items()}
    for key, value in record.items():
        if key != TOP and isinstance(value, list):
            row[key] = ", ".join(map(_told_apart, value))
    return row


def _told_apart(value: Any) -> str:
    """One of several values in a cell: in quotes, as in a CSV, where it could be taken for more than one."""
    text = str(value)
    if text == text.strip() and not {",", '"', "\n", "\r"} & set(text):
        return text
    return '"{}"'.format(text.replace('"', '""'))


def as_csv_text(columns: Sequence[str], cells: Sequence[Sequence[Any]]) -> str:
    """Comma-separated values (RFC 4180, but lines end with a line feed), names to the byte as they are.

    A text that a spreadsheet would run is marked as text by an apostrophe; so is one that looks marked already, so that
    an apostrophe before such a sign can always be taken away again.
    """
    lines = []
    for row in (columns, *cells):
        line = io.StringIO()  # csv quotes a carriage return only where its own lines end with one
        csv.writer(line, lineterminator="\r\n").writerow([_as_text(cell) for cell in row])
        lines.append(line.getvalue().removesuffix("\r\n") + "\n")
    return "".join(lines)


def _as_text(cell: Any) -> Any:
    if not isinstance(cell, str) or _NUMBER.fullmatch(cell) or not _FORMULA.match(cell):
        return cell
    return "'" + cell


def exit_code(answers: Sequence[Prediction]) -> ExitCode:
    """0 where every file has an answer, 66 where files were missing and nothing worse, else 65."""
    codes = {answer.error.code for answer in answers if answer.error is not None}
    if not codes:
        return ExitCode.OK
    return ExitCode.NO_INPUT if codes == {ExitCode.NO_INPUT} else ExitCode.DATA
