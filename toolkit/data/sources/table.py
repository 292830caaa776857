"""A table as text: delimiter, header and fields, with the place of every fault."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from toolkit.data.sources.missing import listed
from toolkit.data.sources.unicode_forms import composed
from toolkit.errors import VtkError, suggest
from toolkit.system.disk_errors import input_error
from toolkit.system.progress import step

__all__ = ["DELIMITERS", "Line", "Table", "bad_line", "read_table"]

DELIMITERS = ",;\t|"

Line = tuple[int, list[str]]


class Table:
    """A header, and rows of as many fields.

    Args:
        file: named in errors.
        header: column names, stripped, in Unicode's composed form.
        lines: line number (from 1) and fields of each row that is not blank, read as they are gone through, once.
    """

    def __init__(self, file: Path, header: list[str], lines: Iterator[Line]) -> None:
        self.file = file
        self.header = header
        self.lines = lines

    def column(self, name: str) -> int:
        """The place of a column.

        Raises:
            VtkError: there is none of that name, or two.
        """
        name = composed(name)
        if name not in self.header:
            meant = suggest(name, self.header, 1)
            hint = f"there are {listed(self.header)}"
            raise VtkError(f"there is no column {name!r}{meant and '; '}{meant}", place=str(self.file), hint=hint)
        if self.header.count(name) > 1:
            raise VtkError(f"there are two columns {name!r}", place=str(self.file))
        return self.header.index(name)


def read_table(file: Path, known: Sequence[str], delimiter: str | None = None) -> Table:
    """Reads a CSV in UTF-8, with or without a byte order mark, with any line ends; its lines as they are asked for.

    Args:
        known: columns that the table must have; the delimiter under which they appear is taken.
        delimiter: instead of finding out.

    Raises:
        VtkError: not UTF-8 text, no rows, a row of another length than the header, broken quoting.
    """
    lines = _lines(file, known, delimiter)
    _, header = next(lines)
    return Table(file, header, lines)


def _lines(file: Path, known: Sequence[str], delimiter: str | None) -> Iterator[Line]:
    """The header, then the rows."""
    with _told(file), file.open(encoding="utf-8-sig", newline="") as text:
        first = next((line for line in text if line.strip()), "")
        text.seek(0)
        rows = _rows(file, csv.reader(text, delimiter=delimiter or find_delimiter(first, known), strict=True))
        place, header = next(rows, (0, []))
        if not header:
            raise VtkError("the file is empty", place=str(file))
        yield place, [composed(name.strip()) for name in header]
        line = None
        with step(f"reading {file.name}", unit="lines") as reading:
            for line, fields in rows:
                while len(fields) > len(header) and not fields[-1].strip():
                    fields.pop()
                if len(fields) != len(header):
                    raise bad_line(file, line, f"{len(fields)} fields, the header has {len(header)}")
                reading.more()
                yield line, fields
        if line is None:
            raise VtkError("there are no lines below the header", place=str(file))


def find_delimiter(header: str, known: Sequence[str]) -> str:
    """The one under which the header has the known columns, else the most frequent."""
    for candidate in DELIMITERS:
        names = {name.strip() for name in next(csv.reader([header.rstrip("\r\n")], delimiter=candidate), [])}
        if len(names) > 1 and names.issuperset(known):
            return candidate
    return max(DELIMITERS, key=header.count)


def bad_line(file: Path, line: int, what: str, hint: str | None = None) -> VtkError:
    """A fault on one line, with its place."""
    return VtkError(what, place=f"{file}:{line}", hint=hint)


def _rows(file: Path, reader: Any) -> Iterator[Line]:
    """Rows that are not blank, be it with a spreadsheet's delimiters.

    A quoted field may span lines; the last of them is the row's.
    """
    try:
        for fields in reader:
            if any(map(str.strip, fields)):
                yield reader.line_num, fields
    except csv.Error as error:
        raise bad_line(file, reader.line_num, f"broken CSV: {error}") from None


@contextmanager
def _told(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise input_error(file, error) from error
    except UnicodeDecodeError as error:
        raise VtkError(
            f"not a UTF-8 text file: {error.reason} at byte {error.start}",
            place=str(file),
            hint="save it as UTF-8; a spreadsheet offers `CSV UTF-8`",
        ) from None
