"""The report as lines of text, worst first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from toolkit.data_audit.data_report import DataReport
from toolkit.system.printable import printable
from toolkit.types.finding import LEVELS, Case, Finding, counted

__all__ = ["as_text", "case_text", "verdict"]

_NAMED = 6
"""Files of a case that are named in text; ``to_json`` has all."""

_SHOWN = 5
_CLASSES = 30
_BAR = 30


def as_text(report: DataReport) -> Iterator[str]:
    """Heading, verdict, faults, then classes and sizes."""
    splits = " · ".join(f"{split} {count:,}" for split, count in report.splits.items())
    pictures = counted(report.pictures, "picture", "pictures")
    cut = " (as the recipe cuts them)" if report.survey.cut else ""
    yield f"{report.place}: {pictures} · {splits}{cut}"
    yield verdict(report)
    for level in LEVELS:
        for fault in report.faults:
            if fault.level == level:
                yield ""
                yield from _fault_lines(fault)
    if report.survey.labelled:
        yield ""
        yield from _classes(report)
    if report.sizes is not None and report.sizes.formats:
        yield ""
        yield from _sizes(report)


def verdict(report: DataReport) -> str:
    """How many kinds of fault of each level; in one line."""
    found = [f"{count} {level}{'s' * (count > 1)}" for level, count in report.levels.items() if count]
    rate = f"{report.pictures / max(report.seconds, 1e-3):,.0f}/s"
    read = f"read and compared in {report.seconds:.1f} s ({rate})"
    if report.sizes is None:
        read = "in memory: there are no files to read"
    return f"{', '.join(found) or 'nothing wrong was found'} · {read}"


def _fault_lines(fault: Finding) -> Iterator[str]:
    yield f"{fault.level}: {fault.message}  [{fault.kind}]"
    for case in fault.cases[:_SHOWN]:
        yield f"    {case_text(case)}"
    if len(fault.cases) > _SHOWN:
        yield f"    and {len(fault.cases) - _SHOWN:,} more; --json and --html list them"
    yield f"  → {fault.remedy}"


def case_text(case: Case) -> str:
    """One occurrence in one line: the first of its files, and what there is to say."""
    named = " = ".join(map(printable, case.files[:_NAMED]))
    if len(case.files) > _NAMED:
        named += f" and {len(case.files) - _NAMED:,} more"
    return f"{named}: {case.detail}" if named and case.detail else named or case.detail


def _classes(report: DataReport) -> Iterator[str]:
    yield f"classes ({len(report.counts)})"
    shown = list(report.counts.items())[:_CLASSES]
    width = max((len(label) for label, _ in shown), default=0)
    most = max((sum(counts.values()) for _, counts in shown), default=0)
    for label, counts in shown:
        each = " · ".join(f"{split} {count:,}" for split, count in counts.items())
        yield f"  {label.ljust(width)}  {_bar(sum(counts.values()), most)}  {each}"
    if len(report.counts) > len(shown):
        yield f"  and {len(report.counts) - len(shown):,} more"


def _sizes(report: DataReport) -> Iterator[str]:
    sizes = report.sizes
    assert sizes is not None
    formats = " · ".join(f"{name} {count:,}" for name, count in sizes.formats.items())
    yield f"sizes ({formats} · {sizes.bytes / 1e6:,.1f} MB)"
    yield f"  width   {sizes.width[0]:,} to {sizes.width[2]:,}, median {sizes.width[1]:,}"
    yield f"  height  {sizes.height[0]:,} to {sizes.height[2]:,}, median {sizes.height[1]:,}"
    yield "  short side"
    yield from _histogram(sizes.short_sides)
    yield "  width to height"
    yield from _histogram(sizes.aspects)


def _histogram(counts: Mapping[str, int]) -> Iterator[str]:
    width, most = max(map(len, counts), default=0), max(counts.values(), default=0)
    for name, count in counts.items():
        yield f"    {name.rjust(width)}  {_bar(count, most)} {count:,}".rstrip()


def _bar(count: int, most: int) -> str:
    filled = round(_BAR * count / most) if most else 0
    return "█" * max(filled, count > 0)
