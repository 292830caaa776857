"""The report as one page of HTML that needs nothing else: no script, no file beside it, no network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit.data_audit.data_report import DataReport
from toolkit.data_audit.text import case_text, verdict
from toolkit.data_audit.thumbnails import CLASSES, contact_sheet, preview
from toolkit.report.html import render_page
from toolkit.types.finding import Case, Finding, counted

__all__ = ["as_page"]

_LISTED = 500
_PICTURED_CASES = 6
_PICTURED_FILES = 4

_TEMPLATE = Path(__file__).parent / "templates" / "data.html"


def as_page(report: DataReport) -> str:
    """The whole page, pictures included."""
    splits = " · ".join(f"{split} {count:,}" for split, count in report.splits.items())
    cut = " (as the recipe cuts them)" if report.survey.cut else ""
    files = _files_by_name(report)
    return render_page(
        _TEMPLATE,
        title=f"Data of {report.place}",
        summary=f"{counted(report.pictures, 'picture', 'pictures')} · {splits}{cut}",
        verdict=verdict(report),
        findings=[_finding(fault, files) for fault in report.faults],
        labelled=report.survey.labelled,
        splits=list(report.splits),
        classes=_classes(report),
        sizes=_sizes(report),
        sheet=list(contact_sheet(report.survey)),
        most_classes=CLASSES,
    )


def _files_by_name(report: DataReport) -> dict[str, Path]:
    """The files that are pictured."""
    cases = (case for fault in report.faults for case in fault.cases[:_PICTURED_CASES])
    wanted = {name for case in cases for name in case.files[:_PICTURED_FILES]}
    parts = report.survey.parts.values()
    pairs = (pair for part in parts for pair in zip(part.names, part.files or (), strict=False))
    return {name: Path(file) for name, file in pairs if name in wanted}


def _finding(fault: Finding, files: Mapping[str, Path]) -> dict[str, Any]:
    pictures = [_pictures(case, files) for case in fault.cases[:_PICTURED_CASES]]
    return {
        "level": fault.level,
        "kind": fault.kind,
        "message": fault.message,
        "remedy": fault.remedy,
        "pictures": [shown for shown in pictures if shown],
        "cases": [case_text(case) for case in fault.cases[:_LISTED]],
        "count": len(fault.cases),
    }


def _pictures(case: Case, files: Mapping[str, Path]) -> list[tuple[str, str]]:
    """Names and data URLs of the files of a case that can be shown."""
    urls = ((name, preview(files[name])) for name in case.files[:_PICTURED_FILES] if name in files)
    return [(name, url) for name, url in urls if url is not None]


def _classes(report: DataReport) -> list[dict[str, Any]]:
    totals = {label: sum(counts.values()) for label, counts in report.counts.items()}
    most = max(totals.values(), default=0)
    return [
        {"label": label, "share": _share(totals[label], most), "counts": [counts[split] for split in report.splits]}
        for label, counts in report.counts.items()
    ]


def _sizes(report: DataReport) -> dict[str, Any] | None:
    sizes = report.sizes
    if sizes is None or not sizes.formats:
        return None
    formats = " · ".join(f"{name} {count:,}" for name, count in sizes.formats.items())
    return {
        "summary": f"{formats} · {sizes.bytes / 1e6:,.1f} MB",
        "sides": (("width", sizes.width), ("height", sizes.height)),
        "histograms": (
            ("short side, in pixels", _histogram(sizes.short_sides)),
            ("width to height", _histogram(sizes.aspects)),
        ),
    }


def _histogram(counts: Mapping[str, int]) -> list[tuple[str, int, float]]:
    most = max(counts.values(), default=0)
    return [(name, count, _share(count, most)) for name, count in counts.items()]


def _share(count: int, most: int) -> float:
    """Of the longest bar, in percent."""
    return 100 * count / most if most else 0.0
