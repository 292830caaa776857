"""A table of paths and labels."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote

from pydantic import Field

from toolkit.data.io.decode import IMAGE_SUFFIXES
from toolkit.data.sources.folder import SPLIT_NAMES
from toolkit.data.sources.index import Found, ImageFiles, class_map
from toolkit.data.sources.missing import existing_file, existing_folder
from toolkit.data.sources.source import Source
from toolkit.data.sources.table import bad_line, read_table
from toolkit.data.sources.unicode_forms import PathsOnDisk, composed
from toolkit.errors import ExitCode, VtkError

if TYPE_CHECKING:
    from toolkit.types.survey import Survey

__all__ = ["CsvFile", "Row", "column_values", "missing_files", "read_rows", "require_files"]

_SHOWN = 10
_MANY = 1000


class CsvFile(Source):
    """A CSV with a header, one picture a line."""

    name: Literal["csv"]
    file: str = Field(description="The CSV, in UTF-8; relative to the working directory.")
    root: str | None = Field(None, description="The folder that its paths start from; by default the CSV's own.")
    path_column: str = Field("path", description="Column with the picture's path.")
    label_column: str = Field("label", description="Column with the class name.")
    split_column: str | None = Field(None, description="Column that says train, val or test.")
    delimiter: Literal[",", ";", "\t", "|"] | None = Field(
        None, description="What parts the columns; by default what makes sense of the header."
    )
    obtain: str | None = Field(None, description="How to get the data; shown where they are missing.")

    def load(self) -> Found:
        file, root, rows = self._read()
        require_files(file, root, self._counting(rows))
        return self._found(file, root, rows)

    def load_listed(self) -> Found:
        return self._found(*self._read())

    def survey(self) -> Survey:
        """Every line whose file is there; the other lines, and pictures without a line, are faults."""
        from toolkit.data.sources.listing import missing_rows, unlisted
        from toolkit.data.sources.survey import survey_of

        file, root, rows = self._read()
        missing = missing_files(root, self._counting(rows))
        gone = {row.line for row in missing}
        faults = missing_rows(file, [(row.line, row.fields[0]) for row in missing])
        faults += unlisted(root, (row.fields[0] for row in rows))
        return survey_of(self._found(file, root, [row for row in rows if row.line not in gone]), str(file), faults)

    def _counting(self, rows: list[Row]) -> list[Row]:
        """The rows of classes that take part; nobody opens the files of the others."""
        return rows if self._chosen is None else [row for row in rows if self.counts(composed(row.fields[1]))]

    def _read(self) -> tuple[Path, Path, list[Row]]:
        """The table, the folder that its paths start from, and its rows."""
        file, root = self._places()
        columns = [self.path_column, self.label_column]
        if self.split_column is not None:
            columns.append(self.split_column)
        rows = _as_on_disk(root, read_rows(file, columns, self.delimiter))
        _require_once(file, root, rows)
        return file, root, rows

    def _found(self, file: Path, root: Path, rows: list[Row]) -> Found:
        if not rows:
            raise VtkError("none of its files are there", place=str(file), code=ExitCode.NO_INPUT)
        if self.split_column is None:
            return Found.aligned(_index(root, rows))
        parts = _by_split(file, rows, self.split_column)
        val, test = (_index(root, parts[split]) if parts[split] else None for split in ("val", "test"))
        return Found.aligned(_index(root, parts["train"]), val, test, chosen=self._chosen)

    def column(self, name: str) -> dict[str, str]:
        file, root = self._places()
        return column_values(file, root, self.path_column, name, self.delimiter)

    def _places(self) -> tuple[Path, Path]:
        """The table, and the folder that its paths start from."""
        file = existing_file(self.file, self.obtain)
        return file, file.parent if self.root is None else existing_folder(self.root, self.obtain)


@dataclass(frozen=True, slots=True)
class Row:
    """One line: where it ends in the file (from 1) and its fields, in the order of the columns asked for."""

    line: int
    fields: tuple[str, ...]


def read_rows(file: Path, columns: list[str], delimiter: str | None = None) -> list[Row]:
    """The named columns of each line that is not blank.

    Raises:
        VtkError: no such column, a line with too few or too many fields, an empty field, or not a text file.
    """
    table = read_table(file, columns, delimiter)
    places = [table.column(name) for name in columns]
    rows = [Row(line, tuple(fields[place].strip() for place in places)) for line, fields in table.lines]
    for row in rows:
        if not all(row.fields):
            raise bad_line(file, row.line, f"nothing in the column {columns[row.fields.index('')]!r}")
    return rows


def column_values(
    file: Path, root: Path, path_column: str, column: str, delimiter: str | None = None
) -> dict[str, str]:
    """Path as it is on disk → value of a column.

    Raises:
        VtkError: no such column, an empty field, or two values for one path.
    """
    values: dict[str, str] = {}
    for row in _as_on_disk(root, read_rows(file, [path_column, column], delimiter)):
        path, value = row.fields[0].replace(os.sep, "/"), row.fields[1]
        if values.setdefault(path, value) != value:
            raise bad_line(file, row.line, f"{column!r} of {path} is {value!r}, and was {values[path]!r} before")
    return values


def _as_on_disk(root: Path, rows: list[Row]) -> list[Row]:
    """The rows with their paths in the Unicode form that the file system keeps."""
    on_disk = PathsOnDisk(root)
    return [
        row if row.fields[0].isascii() else Row(row.line, (on_disk(row.fields[0]), *row.fields[1:])) for row in rows
    ]


def require_files(file: Path, root: Path, rows: list[Row]) -> None:
    """Each row's first field must name a file below ``root``."""
    missing = missing_files(root, rows)
    if not missing:
        return
    lines = "".join(f"\n  line {row.line}: {row.fields[0]}" for row in missing[:_SHOWN])
    more = f"\n  and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    raise VtkError(
        f"{len(missing)} of {len(rows)} files are not there:{lines}{more}",
        place=str(file),
        hint=_meant(root, missing[0].fields[0]) or f"the paths start from {root}; set `root` if they start elsewhere",
        code=ExitCode.NO_INPUT,
    )


def _meant(root: Path, path: str) -> str | None:
    """How a path is written otherwise than the file's, where that is known."""
    plain, own_name = unquote(path.removeprefix("file://")), f"{root.absolute().name}/"
    forms = {
        path.replace("\\", "/"): "part the folders by / instead of \\",
        plain: "write the paths plainly, neither as addresses nor with their escapes",
        path.removeprefix(own_name): f"the paths begin with the folder's own name; set `root` to {root}/..",
        **{path + suffix: "write the names with their endings" for suffix in sorted(IMAGE_SUFFIXES)},
    }
    for form, remedy in forms.items():
        if form != path and os.path.isfile(root / form):
            return f"{root / form} is there: {remedy}"
    if "://" in path:
        return "these are addresses; fetch the pictures first, and name their files"
    return None


def missing_files(root: Path, rows: list[Row]) -> list[Row]:
    """The rows whose first field names no file below ``root``."""
    exists = _Files(root, list_folders=len(rows) > _MANY)
    return [row for row in rows if not exists(row.fields[0])]


class _Files:
    """Which files there are. Listing a folder once is cheaper than asking for each of many files in it."""

    def __init__(self, root: Path, *, list_folders: bool) -> None:
        self._base = str(root)
        self._list_folders = list_folders
        self._names: dict[str, frozenset[str]] = {}

    def __call__(self, path: str) -> bool:
        folder, _, name = path.rpartition("/")
        if self._list_folders:
            if folder not in self._names:
                self._names[folder] = _file_names(os.path.join(self._base, folder or "."))
            if name in self._names[folder]:
                return True
        # The file system may know it all the same: other separators, or no difference between a.JPG and a.jpg.
        return os.path.isfile(os.path.join(self._base, path))


def _file_names(folder: str) -> frozenset[str]:
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries if entry.is_file())
    except OSError:
        return frozenset()


def location_keys(root: Path, paths: Sequence[str]) -> Iterator[str]:
    """What is equal for paths of one file, relative to ``root`` or absolute; links are not looked through."""
    absolute = [os.path.isabs(path) for path in paths]
    base = os.path.abspath(root) if any(absolute) and not all(absolute) else ""
    return (os.path.normpath(os.path.join(base, path)) for path in paths)


def _require_once(file: Path, root: Path, rows: list[Row]) -> None:
    first: dict[str, Row] = {}
    for row, key in zip(rows, location_keys(root, [row.fields[0] for row in rows]), strict=True):
        before = first.setdefault(key, row)
        if before is not row:
            with_other = " with another label" if composed(before.fields[1]) != composed(row.fields[1]) else ""
            raise bad_line(file, row.line, f"{row.fields[0]} stands on line {before.line} already{with_other}")


def _by_split(file: Path, rows: list[Row], column: str) -> dict[str, list[Row]]:
    parts: dict[str, list[Row]] = {"train": [], "val": [], "test": []}
    for row in rows:
        split = SPLIT_NAMES.get(row.fields[2].lower())
        if split is None:
            raise bad_line(file, row.line, f"{column} is {row.fields[2]!r}; it must be train, val or test")
        parts[split].append(row)
    if not parts["train"]:
        raise VtkError(f"no line has {column} = train", place=str(file))
    return parts


def _index(root: Path, rows: list[Row]) -> ImageFiles:
    targets, classes = class_map([composed(row.fields[1]) for row in rows])
    return ImageFiles(root, [row.fields[0].replace(os.sep, "/") for row in rows], targets, classes)
