"""What verbs print on stdout: one JSON document, or a table that is plain text unless a terminal shows it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import click

from toolkit.printable import printable
from toolkit.run.jsonable import finite


def print_json(document: Any) -> None:
    """One JSON document on stdout. A number that is not finite becomes null, as JSON has no other word for it."""
    click.echo(json.dumps(finite(document), indent=2, ensure_ascii=False, default=str))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table on stdout: drawn by rich on a terminal, aligned plain text elsewhere."""
    cells = [[cell_text(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _print_rich(columns, cells)
    else:
        _print_plain(columns, cells)


def cell_text(value: Any) -> str:
    """A cell as text: numbers with four significant digits, None as nothing."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    return printable(str(value))


def _print_rich(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)


def _print_plain(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    for line in table_lines(columns, cells):
        click.echo(line)


def table_lines(columns: Sequence[str], cells: Sequence[Sequence[Any]]) -> list[str]:
    """A table as aligned plain text, line by line."""
    lines = [list(columns), *([cell_text(cell) for cell in row] for row in cells)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
