"""What verbs print on stdout: one JSON document, or a table that is plain text unless a terminal shows it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from typing import Any

from toolkit.cli.echo import echo, echo_exact
from toolkit.system.jsonable import finite
from toolkit.system.printable import STEERING, escaped, printable

_STEERING = re.compile(f"(?!\n)[{STEERING}]")  # of JSON with line breaks between its values; those within are escaped


def print_json(document: Any) -> None:
    r"""One JSON document on stdout, in UTF-8. A number that is not finite becomes null, as JSON has no word for it.

    What would steer a terminal is written by JSON's own escapes. A byte of a name that is no UTF-8 has none, for a lone
    surrogate is refused by many readers: it becomes the four characters ``\xe9``.
    """
    text = json.dumps(finite(document), indent=2, ensure_ascii=False, default=str)
    echo_exact(_STEERING.sub(_json_escape, text) + "\n")


def _json_escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return escaped(found).replace("\\", "\\\\") if 0xD800 <= code <= 0xDFFF else f"\\u{code:04x}"


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table on stdout: drawn by rich on a terminal, aligned plain text elsewhere."""
    cells = [[cell_text(cell) for cell in row] for row in rows]
    heads = [cell_text(column) for column in columns]
    if sys.stdout.isatty():
        _print_rich(heads, cells)
    else:
        _print_plain(heads, cells)


def cell_text(value: Any) -> str:
    """A cell as text: numbers with four significant digits, None as nothing."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    return printable(str(value))


def _print_rich(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from toolkit.system.terminal import PrintableConsole

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(Text(column), overflow="fold")
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))
    PrintableConsole().print(table)


def _print_plain(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    for line in table_lines(columns, cells):
        echo(line)


def table_lines(columns: Sequence[str], cells: Sequence[Sequence[Any]]) -> list[str]:
    """A table as aligned plain text, line by line."""
    lines = [list(columns), *([cell_text(cell) for cell in row] for row in cells)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
