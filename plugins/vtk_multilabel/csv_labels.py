"""Labels from a CSV, in the three shapes that people keep them in."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import Field, PrivateAttr, model_validator

from toolkit import ExitCode, Section, VtkError
from toolkit.data import (
    SPLIT_NAMES,
    Found,
    ImageFiles,
    LabelName,
    Line,
    MultiHot,
    PathsOnDisk,
    Row,
    Source,
    Table,
    bad_line,
    column_values,
    composed,
    existing_file,
    existing_folder,
    listed,
    location_keys,
    missing_files,
    natural_key,
    read_table,
    require_files,
)

if TYPE_CHECKING:
    from toolkit import Survey

__all__ = ["Columns", "CsvLabels", "Pairs", "Separated"]

_YES = dict.fromkeys(["1", "1.0", "true", "t", "yes", "y", "on"], 1)
_YES_NO = {**_YES, **dict.fromkeys(["0", "0.0", "false", "f", "no", "n", "off", ""], 0)}


Named = Annotated[LabelName, Field(min_length=1)]


class Labelled(NamedTuple):
    """One image of a table: the line that it stands on, its path, and its labels."""

    line: int
    path: str
    labels: tuple[str, ...]
    split: str = ""


class Columns(Section):
    """One column for each label, holding 1 or 0; an empty field is 0."""

    name: Literal["columns"]
    columns: Annotated[list[Named], Field(min_length=1)] | None = Field(
        None, description="The labels' columns; by default all others than those of path, split and group."
    )

    def names(self, table: Table, others: Sequence[str]) -> list[str] | None:
        """The labels that the header itself declares."""
        return self.columns or [name for name in table.header if name and name not in others]

    def read(self, table: Table, path: int, split: int | None, others: Sequence[str]) -> list[Labelled]:
        """One image a row."""
        names = self.names(table, others) or []
        places = [table.column(name) for name in names]
        nameless = [] if self.columns else [place for place, name in enumerate(table.header) if not name]
        pick = itemgetter(*places, path)  # with the path, for one label alone would come without a tuple around it
        found = []
        for line, fields in table.lines:
            _require_blank(table, line, fields, nameless)
            bits = _bits(pick(fields)[:-1])
            if bits is None:
                values = [_yes_or_no(table, line, place, fields[place]) for place in places]
                labels = tuple(compress(names, values))
            else:
                labels = tuple(map(names.__getitem__, _ones(bits)))
            found.append(_labelled(line, fields, path, split, labels))
        return _once(table, found)


def _require_blank(table: Table, line: int, fields: Sequence[str], nameless: Sequence[int]) -> None:
    """A spreadsheet may end every line with a delimiter; what stands in a column without a name is nobody's label."""
    for place in nameless:
        if fields[place].strip():
            what = f"{fields[place]!r} in column {place + 1}, which has no name in the header"
            raise bad_line(table.file, line, f"{what}; name it, or say which columns are labels: labels.columns")


def _bits(fields: Sequence[str]) -> str | None:
    """The fields of a row as one text, where each is 0 or 1, as most are; three times faster than one by one."""
    joined = ",".join(fields)
    bits = joined[::2]
    plain = len(joined) == 2 * len(fields) - 1 and bits.count("0") + bits.count("1") == len(fields)
    return bits if plain else None


def _ones(bits: str) -> Iterator[int]:
    place = bits.find("1")
    while place >= 0:
        yield place
        place = bits.find("1", place + 1)


def _yes_or_no(table: Table, line: int, place: int, field: str) -> int:
    value = _YES_NO.get(field.strip().lower())
    if value is None:
        what = f"{table.header[place]!r} is {field!r}; a label's column holds 1 or 0"
        raise bad_line(table.file, line, what, "if it is no label, say which columns are: data.source.labels.columns")
    return value


class Separated(Section):
    """One column with all labels of an image; an empty field means that it has none."""

    name: Literal["separated"]
    column: str = Field("labels", description="The labels' column.")
    separator: str = Field("|", min_length=1, description="What stands between two labels; a space parts words.")

    def names(self, table: Table, others: Sequence[str]) -> list[str] | None:
        """The header declares none."""
        return None

    def read(self, table: Table, path: int, split: int | None, others: Sequence[str]) -> list[Labelled]:
        """One image a row."""
        place = table.column(self.column)
        found = []
        for line, fields in table.lines:
            text = composed(fields[place].strip())
            labels = tuple(map(str.strip, text.split(self.separator))) if text else ()
            if "" in labels:
                raise bad_line(table.file, line, f"a blank label in {text!r}")
            if len(set(labels)) < len(labels):
                raise bad_line(table.file, line, f"a label twice in {text!r}")
            found.append(_labelled(line, fields, path, split, labels))
        return _once(table, found)


class Pairs(Section):
    """One row for each pair of image and label; an image without labels has one row with an empty label."""

    name: Literal["pairs"]
    column: str = Field("label", description="The label's column.")

    def names(self, table: Table, others: Sequence[str]) -> list[str] | None:
        """The header declares none."""
        return None

    def read(self, table: Table, path: int, split: int | None, others: Sequence[str]) -> list[Labelled]:
        """The rows of an image joined, in the order of their first."""
        place = table.column(self.column)
        images: dict[str, dict[str, int]] = {}
        first: dict[str, Labelled] = {}
        for line, fields in table.lines:
            row = _labelled(line, fields, path, split, ())
            key = os.path.normpath(row.path)
            one = first.setdefault(key, row)
            if row.split != one.split:
                raise bad_line(table.file, line, f"{row.path} is in {one.split!r} on line {one.line} already")
            labels = images.setdefault(key, {})
            label = composed(fields[place].strip())
            if label in labels:
                raise bad_line(table.file, line, f"{row.path} with {label!r} stands on line {labels[label]} already")
            if labels and not (label and all(labels)):
                other = next(iter(labels.values()))
                raise bad_line(table.file, line, f"{row.path} has a label and none, see line {other}")
            labels[label] = line
        return [
            Labelled(one.line, one.path, tuple(label for label in images[key] if label), one.split)
            for key, one in first.items()
        ]


LabelShape = Annotated[Columns | Separated | Pairs, Field(discriminator="name")]


class CsvLabels(Source):
    """A CSV with a header that says which labels each image has."""

    name: Literal["csv"]
    file: str = Field(description="The CSV, in UTF-8; relative to the working directory.")
    val_file: str | None = Field(None, description="A CSV of the same form for validation.")
    test_file: str | None = Field(None, description="A CSV of the same form for the final test.")
    root: str | None = Field(None, description="The folder that its paths start from; by default the CSV's own.")
    path_column: str = Field("path", description="Column with the image's path.")
    split_column: str | None = Field(None, description="Column that says train, val or test.")
    labels: LabelShape = Field(description="How the table holds the labels.")
    classes: Annotated[list[Named], Field(min_length=1)] | None = Field(
        None, description="The labels there are, in the order of the outputs; by default all that training has."
    )
    delimiter: Literal[",", ";", "\t", "|"] | None = Field(
        None, description="What parts the columns; by default what makes sense of the header."
    )
    obtain: str | None = Field(None, description="How to get the data; shown where they are missing.")

    _group: str | None = PrivateAttr(None)

    def group_by(self, column: str) -> None:
        """Take the column for the name of what belongs together, not for a label."""
        self._group = column

    @model_validator(mode="after")
    def _one_way_to_split(self) -> CsvLabels:
        if self.split_column is not None and (self.val_file or self.test_file):
            raise ValueError("give either split_column or val_file and test_file, not both")
        return self

    def load(self) -> Found:
        """Finds the images; targets are multi-hot, int64, shape (n, classes)."""
        tables = self._tables()
        for part in tables.values():
            require_files(part.file, part.root, part.as_rows())
        return self._found(tables)

    def load_listed(self) -> Found:
        """The same with lines whose files are not there."""
        return self._found(self._tables())

    def survey(self) -> Survey:
        """Every line whose image is there; the other lines, and images without a line, are faults."""
        from toolkit.data import missing_rows, survey_of, unlisted

        tables, faults = self._tables(), []
        for split, part in tables.items():
            missing = missing_files(part.root, part.as_rows())
            faults += missing_rows(part.file, [(row.line, row.fields[0]) for row in missing])
            gone = {row.line for row in missing}
            tables[split] = replace(part, rows=[row for row in part.rows if row.line not in gone])
        one_root = _under_one_root(tables)
        base = one_root["train"].root
        listed_files = (row.path for part in one_root.values() for row in part.rows)
        if base != tables["train"].root:
            listed_files = (os.path.abspath(base / path) for path in listed_files)
        faults += unlisted(tables["train"].root, listed_files)
        return survey_of(self._found(tables), self.place, faults)

    def declared(self) -> list[str] | None:
        """The labels that the table has columns for; None where it holds them otherwise."""
        return self._read(self.file).declared

    def _tables(self) -> dict[str, _Part]:
        tables = {"train": self._read(self.file)}
        for split, file in (("val", self.val_file), ("test", self.test_file)):
            if file is not None:
                tables[split] = self._read(file)
        _require_apart(tables)
        return tables

    def _found(self, tables: dict[str, _Part]) -> Found:
        if self.split_column is not None:
            tables = _by_split(tables["train"], self.split_column)
        classes = self._classes(tables)
        parts = {split: _index(part, classes, split) for split, part in _under_one_root(tables).items()}
        return Found(parts["train"], parts.get("val"), parts.get("test"))

    def column(self, name: str) -> dict[str, str]:
        """The values of a column of all tables, by path."""
        files = [existing_file(file, self.obtain) for file in (self.file, self.val_file, self.test_file) if file]
        roots = [self._root(file) for file in files]
        values: dict[str, str] = {}
        for file, root in zip(files, roots, strict=True):
            of_table = column_values(file, root, self.path_column, name, self.delimiter)
            values |= {_below(_common(roots), root, path): value for path, value in of_table.items()}
        return values

    def _root(self, file: Path) -> Path:
        return file.parent if self.root is None else existing_folder(self.root, self.obtain)

    def _read(self, name: str) -> _Part:
        file = existing_file(name, self.obtain)
        root = self._root(file)
        table = read_table(file, [self.path_column], self.delimiter)
        path = table.column(self.path_column)
        table.lines = _as_on_disk(table.lines, path, PathsOnDisk(root))
        split = None if self.split_column is None else table.column(self.split_column)
        others = [composed(name) for name in (self.path_column, self.split_column, self._group) if name]
        rows = self.labels.read(table, path, split, others)
        nameless = next((row for row in rows if not row.path), None)
        if nameless is not None:
            raise bad_line(file, nameless.line, f"nothing in the column {self.path_column!r}")
        _require_one_way(file, root, rows)
        return _Part(file, root, rows, self.labels.names(table, others))

    def _classes(self, tables: dict[str, _Part]) -> tuple[str, ...]:
        """Declared by the recipe, by the header, or by what training has; in natural order in the last case.

        Labels of other parts that take no part are put behind them.
        """
        train = tables["train"]
        classes = self.classes or train.declared
        if classes is None:
            classes = sorted({label for row in train.rows for label in row.labels}, key=natural_key)
        if self._chosen is None:
            return tuple(classes)
        others = {label for part in tables.values() for row in part.rows for label in row.labels}
        others.difference_update(classes, self._chosen)
        return (*classes, *sorted(others, key=natural_key))


@dataclass(frozen=True)
class _Part:
    """The rows of one split."""

    file: Path
    root: Path
    rows: list[Labelled]
    declared: list[str] | None

    def as_rows(self) -> list[Row]:
        """Line and path of each image."""
        return [Row(row.line, (row.path,)) for row in self.rows]


def _as_on_disk(lines: Iterable[Line], path: int, on_disk: PathsOnDisk) -> Iterator[Line]:
    """The lines with their paths in the Unicode form that the file system keeps."""
    for line, fields in lines:
        if not fields[path].isascii():
            fields[path] = on_disk(fields[path].strip())
        yield line, fields


def _labelled(line: int, fields: list[str], path: int, split: int | None, labels: tuple[str, ...]) -> Labelled:
    return Labelled(line, fields[path].strip(), labels, "" if split is None else fields[split].strip())


def _once(table: Table, rows: list[Labelled]) -> list[Labelled]:
    first: dict[str, Labelled] = {}
    for row in rows:
        before = first.setdefault(os.path.normpath(row.path), row)
        if before is not row:
            other = "" if set(before.labels) == set(row.labels) else " with other labels"
            raise bad_line(table.file, row.line, f"{row.path} stands on line {before.line} already{other}")
    return rows


def _require_one_way(file: Path, root: Path, rows: list[Labelled]) -> None:
    """No image may stand in a table by its path from the root and by its absolute one."""
    first: dict[str, Labelled] = {}
    for row, key in zip(rows, location_keys(root, [row.path for row in rows]), strict=True):
        before = first.setdefault(key, row)
        if before is not row:
            raise bad_line(file, row.line, f"{row.path} stands on line {before.line} already, as {before.path}")


def _require_apart(tables: dict[str, _Part]) -> None:
    """No image may stand in two tables, under whatever path."""
    first: dict[str, tuple[_Part, Labelled]] = {}
    for part in tables.values() if len(tables) > 1 else ():
        root = os.path.abspath(part.root)
        for row in part.rows:
            other, before = first.setdefault(os.path.normpath(os.path.join(root, row.path)), (part, row))
            if other is not part:
                raise VtkError(
                    f"{row.path} stands in {other.file} already, on line {before.line}",
                    place=f"{part.file}:{row.line}",
                    hint="training, validation and test must not share images; take it out of one of the tables",
                )


def _under_one_root(tables: dict[str, _Part]) -> dict[str, _Part]:
    """Tables of several folders with paths from the folder that holds them all, so that a path tells one image."""
    common = _common([part.root for part in tables.values()])
    if common is None:
        return tables
    return {
        split: replace(
            part, root=common, rows=[row._replace(path=_below(common, part.root, row.path)) for row in part.rows]
        )
        for split, part in tables.items()
    }


def _common(roots: Sequence[Path]) -> Path | None:
    """The folder that holds all of them; None where they are one, from which paths can start as they are."""
    folders = {os.path.abspath(root) for root in roots}
    return Path(os.path.commonpath(folders)) if len(folders) > 1 else None


def _below(common: Path | None, root: Path, path: str) -> str:
    """A path of a table in ``root`` as it starts from ``common``."""
    if common is None or os.path.isabs(path):
        return path
    prefix = os.path.relpath(root, common).replace(os.sep, "/")
    return path if prefix == "." else f"{prefix}/{path}"


def _by_split(part: _Part, column: str) -> dict[str, _Part]:
    rows: dict[str, list[Labelled]] = {"train": [], "val": [], "test": []}
    for row in part.rows:
        split = SPLIT_NAMES.get(row.split.lower())
        if split is None:
            raise bad_line(part.file, row.line, f"{column} is {row.split!r}; it must be train, val or test")
        rows[split].append(row)
    if not rows["train"]:
        raise VtkError(f"no line has {column} = train", place=str(part.file))
    return {split: _Part(part.file, part.root, chosen, part.declared) for split, chosen in rows.items() if chosen}


def _index(part: _Part, classes: tuple[str, ...], split: str) -> ImageFiles:
    """Multi-hot targets under the class map that training fixed."""
    if not classes:
        raise VtkError("no image has a label", place=str(part.file))
    position = {name: place for place, name in enumerate(classes)}
    _require_known(part, position, split)
    targets: Any = MultiHot.of_sets([[position[label] for label in row.labels] for row in part.rows], len(classes))
    return ImageFiles(part.root, tuple(row.path.replace(os.sep, "/") for row in part.rows), targets, classes)


def _require_known(part: _Part, known: Iterable[str], split: str) -> None:
    names = dict.fromkeys(known)
    for row in part.rows:
        unknown = [label for label in row.labels if label not in names]
        if unknown:
            what = "which training has not" if split != "train" else "which the recipe's classes leave out"
            raise VtkError(
                f"the {split} split has the label{'s' * (len(unknown) > 1)} {listed(unknown)}, {what}",
                place=f"{part.file}:{row.line}",
                hint=f"training knows {listed(names)}",
                code=ExitCode.DATA,
            )
