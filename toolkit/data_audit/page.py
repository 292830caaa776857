"""The report as one page of HTML that needs nothing else: no script, no file beside it, no network."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from pathlib import Path

from toolkit.data_audit.data_report import DataReport
from toolkit.data_audit.text import case_text, verdict
from toolkit.data_audit.thumbnails import CLASSES, contact_sheet, preview
from toolkit.types.finding import Case, Finding, counted

__all__ = ["as_page"]

_LISTED = 500
_PICTURED_CASES = 6
_PICTURED_FILES = 4

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #1c1e21; }
h1 { margin-bottom: 0; } h2 { margin-top: 2.5rem; } h3 { margin: 0; font-size: 1rem; }
section.fault { border-left: .4rem solid #9aa0a6; padding: .3rem 1rem; margin: 1rem 0; }
section.error { border-color: #c5221f; } section.warning { border-color: #e69100; }
.remedy { color: #444; margin: .2rem 0; } code { color: #555; } details { margin: .3rem 0; }
ul { margin: .3rem 0; } li { overflow-wrap: anywhere; }
.row { display: flex; flex-wrap: wrap; gap: .4rem; align-items: end; margin: .3rem 0 .8rem; }
figure { margin: 0; max-width: 130px; font-size: .7rem; overflow-wrap: anywhere; color: #555; }
.row img { display: block; max-width: 120px; } .sheet img { width: 112px; image-rendering: pixelated; }
table { border-collapse: collapse; } th, td { padding: .2rem .7rem; border-bottom: 1px solid #ddd; text-align: left; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.bar { background: #4a7bd0; height: .8rem; min-width: 1px; } td.bars { width: 20rem; }
"""


def as_page(report: DataReport) -> str:
    """The whole page, pictures included."""
    return "\n".join(_page(report))


def _page(report: DataReport) -> Iterator[str]:
    title = html.escape(f"Data of {report.place}")
    yield f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>"
    splits = " · ".join(f"{split} {count:,}" for split, count in report.splits.items())
    pictures = counted(report.pictures, "picture", "pictures")
    cut = " (as the recipe cuts them)" if report.survey.cut else ""
    yield f"<p>{pictures} · {html.escape(splits)}{cut}<br>{html.escape(verdict(report))}</p>"
    yield "<h2>What is wrong</h2>"
    files = _files_by_name(report)
    for fault in report.faults:
        yield from _fault(fault, files)
    if not report.faults:
        yield "<p>Nothing wrong was found.</p>"
    if report.survey.labelled:
        yield from _classes(report)
    yield from _sizes(report)
    yield from _sheet(report)
    yield "</body>\n</html>\n"


def _files_by_name(report: DataReport) -> dict[str, Path]:
    """The files that are pictured."""
    cases = (case for fault in report.faults for case in fault.cases[:_PICTURED_CASES])
    wanted = {name for case in cases for name in case.files[:_PICTURED_FILES]}
    parts = report.survey.parts.values()
    pairs = (pair for part in parts for pair in zip(part.names, part.files or (), strict=False))
    return {name: Path(file) for name, file in pairs if name in wanted}


def _fault(fault: Finding, files: Mapping[str, Path]) -> Iterator[str]:
    yield f'<section class="fault {fault.level}">'
    yield f"<h3>{fault.level}: {html.escape(fault.message)}</h3>"
    yield f'<p class="remedy">{html.escape(fault.remedy)} <code>{html.escape(fault.kind)}</code></p>'
    for case in fault.cases[:_PICTURED_CASES]:
        yield from _pictures(case, files)
    if fault.cases:
        yield f"<details><summary>all {len(fault.cases):,}</summary><ul>"
        yield from (f"<li>{html.escape(case_text(case))}</li>" for case in fault.cases[:_LISTED])
        if len(fault.cases) > _LISTED:
            yield f"<li>and {len(fault.cases) - _LISTED:,} more; --json lists them</li>"
        yield "</ul></details>"
    yield "</section>"


def _pictures(case: Case, files: Mapping[str, Path]) -> Iterator[str]:
    """The files of a case, where they can be shown."""
    shown = []
    for name in case.files[:_PICTURED_FILES]:
        url = preview(files[name]) if name in files else None
        if url is not None:
            shown.append(_figure(name, url))
    if shown:
        yield f'<div class="row">{"".join(shown)}</div>'


def _figure(name: str, url: str) -> str:
    safe = html.escape(name)
    return f'<figure><img src="{url}" alt="{safe}"><figcaption>{safe}</figcaption></figure>'


def _classes(report: DataReport) -> Iterator[str]:
    yield f"<h2>Classes ({len(report.counts)})</h2>\n<table><thead><tr><th>class</th><th></th>"
    yield "".join(f"<th>{html.escape(split)}</th>" for split in report.splits) + "</tr></thead><tbody>"
    most = max((sum(counts.values()) for counts in report.counts.values()), default=0)
    for label, counts in report.counts.items():
        cells = "".join(f'<td class="number">{counts[split]:,}</td>' for split in report.splits)
        yield f"<tr><td>{html.escape(label)}</td>{_bar(sum(counts.values()), most)}{cells}</tr>"
    yield "</tbody></table>"


def _sizes(report: DataReport) -> Iterator[str]:
    sizes = report.sizes
    if sizes is None or not sizes.formats:
        return
    formats = " · ".join(f"{name} {count:,}" for name, count in sizes.formats.items())
    yield f"<h2>Sizes</h2>\n<p>{html.escape(formats)} · {sizes.bytes / 1e6:,.1f} MB</p>"
    yield "<table><thead><tr><th>pixels</th><th>least</th><th>median</th><th>largest</th></tr></thead><tbody>"
    for name, values in (("width", sizes.width), ("height", sizes.height)):
        cells = "".join(f'<td class="number">{value:,}</td>' for value in values)
        yield f"<tr><td>{name}</td>{cells}</tr>"
    yield "</tbody></table>"
    yield from _histogram("short side, in pixels", sizes.short_sides)
    yield from _histogram("width to height", sizes.aspects)


def _histogram(title: str, counts: Mapping[str, int]) -> Iterator[str]:
    most = max(counts.values(), default=0)
    yield f"<table><thead><tr><th>{title}</th><th></th><th>pictures</th></tr></thead><tbody>"
    for name, count in counts.items():
        yield f'<tr><td>{html.escape(name)}</td>{_bar(count, most)}<td class="number">{count:,}</td></tr>'
    yield "</tbody></table>"


def _bar(count: int, most: int) -> str:
    share = 100 * count / most if most else 0
    return f'<td class="bars"><div class="bar" style="width: {share:.1f}%"></div></td>'


def _sheet(report: DataReport) -> Iterator[str]:
    rows = list(contact_sheet(report.survey))
    if not rows:
        return
    yield "<h2>What the model sees</h2>"
    of_each = " of each class" if report.survey.labelled else ""
    yield f"<p>Training pictures{of_each} as the first epoch shows them: cropped, resized and augmented.</p>"
    for row in rows:
        figures = "".join(_figure(name, url) for name, url in row.pictures)
        yield f'<h3>{html.escape(row.label)}</h3><div class="row sheet">{figures}</div>'
    if len(report.counts) > CLASSES:
        yield f"<p>The first {CLASSES} of {len(report.counts)} classes.</p>"
