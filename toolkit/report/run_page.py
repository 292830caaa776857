"""The report of a run or an evaluation: one page to look at, one JSON file to compute with, pictures beside them."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.report.curves import draw_curves
from toolkit.report.figure_text import undrawable_signs
from toolkit.report.gaps import Gap, Gaps
from toolkit.system.files import OUT, whole_file, write_atomic, write_error
from toolkit.system.jsonable import finite
from toolkit.types.results import Figure, Result, Table

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c1e21; }
h1 { margin-bottom: 0; } h2 { margin-top: 2.5rem; }
.demo { background: #fff3cd; border-left: .4rem solid #d39e00; padding: .6rem 1rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; } th, td { padding: .25rem .8rem; border-bottom: 1px solid #ddd; text-align: left; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
figure { margin: 1.5rem 0; } img { max-width: 100%; } figcaption { color: #555; }
pre { background: #f6f7f8; padding: 1rem; overflow-x: auto; }
"""
_DEMO = "This is a demo on small stand-in data. Its figures say nothing about the real task."


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
    facts = _facts(title, result, history, [item for item, _ in parts], files, demo)
    if start is not None:
        facts["start"] = start
    facts["missing"] = [{"part": gap.part, "why": gap.why} for gap in gaps.found]
    bodies = [body for _, body in parts]
    page = "\n".join(_page(title, result, bodies, gaps.found, recipe_yaml, demo, start))
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


def _parts(items: Sequence[Figure | Table], files: Mapping[int, str], gaps: Gaps) -> list[tuple[Figure | Table, str]]:
    """What can be shown, each with its HTML."""
    parts: list[tuple[Figure | Table, str]] = []
    for item in items:
        if isinstance(item, Table):
            with gaps.around(f"the table {item.name!r}"):
                parts.append((item, _titled_table(item)))
        elif id(item) in files:
            parts.append((item, _figure_html(item, files[id(item)])))
    return parts


def _numbered(stem: str) -> Iterator[str]:
    yield f"{stem}.png"
    number = 2
    while True:
        yield f"{stem}-{number}.png"
        number += 1


def _page(
    title: str,
    result: Result,
    bodies: Sequence[str],
    gaps: Sequence[Gap],
    recipe_yaml: str,
    demo: bool,
    start: str | None,
) -> Iterator[str]:
    name = html.escape(f"{title} (demo)" if demo else title)
    yield f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{name}</title>'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{name}</h1>"
    if demo:
        yield f'<p class="demo"><strong>DEMO.</strong> {_DEMO}</p>'
    if start is not None:
        yield f"<p>The network before training: {html.escape(start)}.</p>"
    if result.metrics:
        yield f"<h2>Results{f' on the {html.escape(result.split)} split' if result.split else ''}</h2>"
        yield _table_html(Table("metrics", "", ("metric", "value"), list(result.metrics.items())))
    if gaps:
        lines = "".join(f"<li>{html.escape(str(gap))}</li>" for gap in gaps)
        yield f"<h2>Not in this report</h2>\n<ul>{lines}</ul>"
    yield from bodies
    if recipe_yaml:
        yield f"<h2>Recipe</h2>\n<details><summary>Every value</summary><pre>{html.escape(recipe_yaml)}</pre></details>"
    yield "</body>\n</html>\n"


def _figure_html(figure: Figure, file: str) -> str:
    caption = html.escape(figure.caption)
    return (
        f"<h2>{_heading(figure.name)}</h2>\n"
        f'<figure><img src="{html.escape(file)}" alt="{caption}"><figcaption>{caption}</figcaption></figure>'
    )


def _titled_table(table: Table) -> str:
    return f"<h2>{_heading(table.name)}</h2>\n<p>{html.escape(table.caption)}</p>\n{_table_html(table)}"


def _table_html(table: Table) -> str:
    head = "".join(f"<th>{html.escape(str(column))}</th>" for column in table.columns)
    rows = "\n".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in table.shown())
    return f'<div class="scroll"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>'


def _cell(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        text = f"{value:.4g}" if isinstance(value, float) else str(value)
        return f'<td class="number">{text}</td>'
    return f"<td>{html.escape('' if value is None else str(value))}</td>"


def _heading(name: str) -> str:
    words = name.replace("-", " ").replace("_", " ")
    return html.escape(words[:1].upper() + words[1:])


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
