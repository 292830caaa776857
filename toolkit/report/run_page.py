"""The report of a run or an evaluation: one page to look at, one JSON file to compute with, pictures beside them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.report.curves import draw_curves
from toolkit.report.figure_text import undrawable_signs
from toolkit.report.gaps import Gaps
from toolkit.report.html import Cell, cells, render_page
from toolkit.system.files import OUT, whole_file, write_atomic, write_error
from toolkit.system.jsonable import finite
from toolkit.types.results import Figure, Result, Table

_TEMPLATE = Path(__file__).parent / "templates" / "run.html"


@dataclass(frozen=True)
class _Part:
    """A figure or table as the page shows it: a figure has a file, a table columns and rows."""

    item: Figure | Table
    file: str = ""
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Cell]] = ()

    @property
    def heading(self) -> str:
        words = self.item.name.replace("-", " ").replace("_", " ")
        return words[:1].upper() + words[1:]

    @property
    def caption(self) -> str:
        return self.item.caption


def write_report(
    directory: Path,
    *,
    title: str,
    result: Result,
    history: Sequence[Mapping[str, float]] = (),
    items: Sequence[Figure | Table] = (),
    recipe_yaml: str = "",
    demo: bool = False,
    start: str | None = None,
    gaps: Gaps | None = None,
    flag: str = OUT,
) -> Path:
    """Write ``index.html``, ``report.json`` and the figures' PNG files into ``directory``; returns the page.

    Args:
        directory: made if it is not there; older files of the same names are replaced.
        title: the page's heading.
        result: the metrics and the split that they were measured on.
        history: one mapping for each epoch, with ``epoch`` and metrics such as ``train/loss``; drawn as curves.
        items: the figures and tables of the task and the extensions, in order.
        recipe_yaml: shown at the end of the page.
        demo: says aloud that the data is a stand-in.
        start: what the network's weights were before training, in a few words.
        gaps: what the report lacks already; a figure or table that cannot be drawn is one more.
        flag: what the user names the directory with; for the hint where it cannot be written.

    Raises:
        VtkError: the directory cannot be written, or the disk is full.
    """
    gaps = Gaps(lambda _line: None) if gaps is None else gaps
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(directory, error, flag=flag) from error
    shown = [*_curves(history), *items]
    files = _draw([item for item in shown if isinstance(item, Figure)], directory, gaps, flag)
    parts = _parts(shown, files, gaps)
    facts = _facts(title, result, history, [part.item for part in parts], files, demo)
    if start is not None:
        facts["start"] = start
    facts["missing"] = [{"part": gap.part, "why": gap.why} for gap in gaps.found]
    page = render_page(
        _TEMPLATE,
        title=f"{title} (demo)" if demo else title,
        demo=demo,
        start=start,
        split=result.split,
        metrics=cells(list(result.metrics.items())),
        gaps=gaps.found,
        parts=parts,
        recipe_yaml=recipe_yaml,
    )
    write_atomic(directory / "report.json", json.dumps(finite(facts), indent=2, default=str) + "\n", flag=flag)
    write_atomic(directory / "index.html", page, flag=flag)
    return directory / "index.html"


def _curves(history: Sequence[Mapping[str, float]]) -> list[Figure]:
    if not history:
        return []
    return [Figure("curves", "Training and validation by epoch", lambda path: draw_curves(history, path))]


def _draw(figures: Sequence[Figure], directory: Path, gaps: Gaps, flag: str) -> dict[int, str]:
    """Draw each figure that can be drawn; returns the file names by the figures' identity."""
    names: dict[int, str] = {}
    for figure in figures:
        stem = re.sub(r"[^\w.-]+", "-", figure.name).strip("-.") or "figure"
        taken = set(names.values())
        name = next(n for n in _numbered(stem) if n not in taken)
        with (
            gaps.around(f"the figure {figure.name!r}"),
            whole_file(directory / name, flag=flag) as path,
            undrawable_signs(),
        ):
            figure.draw(path)
            names[id(figure)] = name
    return names


def _parts(items: Sequence[Figure | Table], files: Mapping[int, str], gaps: Gaps) -> list[_Part]:
    """What can be shown."""
    parts: list[_Part] = []
    for item in items:
        if isinstance(item, Table):
            with gaps.around(f"the table {item.name!r}"):
                parts.append(_Part(item, columns=[str(column) for column in item.columns], rows=cells(item.shown())))
        elif id(item) in files:
            parts.append(_Part(item, files[id(item)]))
    return parts


def _numbered(stem: str) -> Iterator[str]:
    yield f"{stem}.png"
    number = 2
    while True:
        yield f"{stem}-{number}.png"
        number += 1


def _facts(
    title: str,
    result: Result,
    history: Sequence[Mapping[str, float]],
    items: Sequence[Figure | Table],
    files: Mapping[int, str],
    demo: bool,
) -> dict[str, Any]:
    return {
        "title": title,
        "demo": demo,
        "split": result.split,
        "metrics": dict(result.metrics),
        "history": [dict(row) for row in history],
        "figures": [
            {"name": item.name, "caption": item.caption, "file": files[id(item)]}
            for item in items
            if isinstance(item, Figure)
        ],
        "tables": [
            {"name": t.name, "caption": t.caption, "columns": list(t.columns), "rows": [list(row) for row in t.rows]}
            for t in items
            if isinstance(t, Table)
        ],
    }
