"""The one builder of HTML pages: Jinja2 templates, each beside the code that fills it; whatever is shown is escaped."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Environment

_BASE = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Cell:
    """A cell of a table: what it shows, and whether that is a number, which stands to the right."""

    text: str
    number: bool = False


def render_page(template: Path, **facts: Any) -> str:
    """The page that a template makes of ``facts``; it may extend ``page.html`` and use its macros.

    Raises:
        jinja2.UndefinedError: the template needs something that is not among them.
    """
    return _environment(template.parent).get_template(template.name).render(facts)


def cells(rows: Sequence[Sequence[Any]]) -> list[list[Cell]]:
    """The values of a table as they are shown: floats with four digits, None as nothing."""
    return [[_cell(value) for value in row] for row in rows]


def _cell(value: Any) -> Cell:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Cell(f"{value:.4g}" if isinstance(value, float) else str(value), number=True)
    return Cell("" if value is None else str(value))


@cache
def _environment(folder: Path) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader([folder, _BASE]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
