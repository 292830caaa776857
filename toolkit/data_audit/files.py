"""Faults of single files: those that cannot be read, and those that are odd among the others."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence

from toolkit.data_audit.scan import Record
from toolkit.types.finding import Case, Finding, Level, counted
from toolkit.types.survey import SurveyKeys

__all__ = ["file_faults"]

TINY_SIDE = 32
"""Pixels; a picture whose short side is below this, and below a quarter of what is usual in the data set, is tiny."""

HUGE_PIXELS = 25_000_000
LONG_ASPECT = 4.0
"""Long side to short side; more than this is odd where the data set's median is below half of it."""

Named = tuple[str, Record]
_NO_KEYS = SurveyKeys()

_UNUSABLE: dict[str, tuple[str, str, str]] = {
    "missing": ("file cannot be read", "files cannot be read", "Bring it back, or see to the rights to read it."),
    "empty": ("file is empty", "files are empty", "Copy it again from where it came from, or delete it."),
    "no-picture": (
        "file is no picture, whatever its name says",
        "files are no pictures, whatever their names say",
        "Often a web page saved in place of a picture. Fetch it again, or delete it.",
    ),
    "damaged": ("file is damaged or cut short", "files are damaged or cut short", "Copy or fetch it again."),
    "too-large": ("picture is too large to be decoded", "pictures are too large to be decoded", "Shrink it."),
}

_KINDS: dict[str, tuple[str, str]] = {
    "cmyk": (
        "in CMYK, the colours of printers",
        "They are read as RGB, without a colour profile; look at the colours.",
    ),
    "palette": ("with a palette", "They are read as RGB."),
    "bilevel": ("in black and white", "They are read as RGB."),
    "16-bit": ("with 16 bits a channel", "They are scaled to 8 bits."),
    "floating-point": ("of floating-point numbers", "0 to 1 is scaled to 8 bits."),
    "transparent": ("with transparency", "They are laid on white."),
    "animated": ("that are animated", "Their first frame is used."),
    "several-pages": ("with several pages", "Their first page is used."),
}

_SUFFIXES = {
    "jpeg": {"jpg", "jpeg", "jpe", "jfif"},
    "tiff": {"tif", "tiff"},
    "bmp": {"bmp", "dib"},
    "ppm": {"ppm", "pgm", "pbm", "pnm"},
    "jpeg2000": {"jp2", "j2k"},
}


def file_faults(
    named: Sequence[Named], input_side: int | None = None, keys: SurveyKeys = _NO_KEYS
) -> Iterator[Finding]:
    """What is wrong with files one by one.

    Args:
        named: each file's name and what reading it showed.
        input_side: shorter side of the model's input, where it is known.
        keys: the recipe's keys that advice may name.
    """
    for trouble, (one, many, remedy) in _UNUSABLE.items():
        yield from _fault(named, _trouble_is(trouble), f"{trouble}-file", "error", one, many, remedy)
    usable = [(name, record) for name, record in named if not record.trouble]
    if usable:
        yield from _of_odd_size(usable, input_side, keys.input_side)
        yield from _of_odd_look(usable, keys.grey)
        yield from _of_odd_kind(usable)


def _of_odd_size(usable: Sequence[Named], input_side: int | None, key: str | None) -> Iterator[Finding]:
    usual = statistics.median(_short(record) for _, record in usable)
    aspect = statistics.median(_aspect(record) for _, record in usable)

    def tiny(record: Record) -> str:
        return _size(record) if _short(record) < min(TINY_SIDE, usual / 4) else ""

    def huge(record: Record) -> str:
        return _size(record) if record.width * record.height > HUGE_PIXELS else ""

    def long(record: Record) -> str:
        return _size(record) if _aspect(record) > max(LONG_ASPECT, 2 * aspect) else ""

    remedy = "Often thumbnails or icons taken along by mistake. Look at them, or delete them."
    yield from _fault(usable, tiny, "tiny-picture", "warning", "picture is tiny", "pictures are tiny", remedy)
    remedy = "Each takes as long to decode as dozens of others. Store it smaller."
    yield from _fault(usable, huge, "huge-picture", "warning", "picture is huge", "pictures are huge", remedy)
    remedy = "Only the centre reaches the model, or it is squeezed. Cut it into parts, or crop it by hand."
    yield from _fault(usable, long, "long-picture", "warning", "picture is very long", "pictures are very long", remedy)
    if input_side is not None and usual < input_side:
        yield Finding(
            "smaller-than-input",
            "note",
            f"half of the pictures have a short side of {usual:.0f} pixels at most, the model sees {input_side}",
            f"They are enlarged. {f'{key}={usual:.0f} or less' if key else 'A smaller input'} costs less and loses "
            "nothing.",
        )


def _of_odd_look(usable: Sequence[Named], key: str | None) -> Iterator[Finding]:
    remedy = "Hardly anything can be seen on it. Delete it, unless it is meant to be so."
    yield from _fault(usable, _blank, "blank-picture", "warning", "picture is blank", "pictures are blank", remedy)
    grey = [name for name, record in usable if record.grey and not _blank(record)]
    if 0 < len(grey) < len(usable) / 2:
        yield Finding(
            "grey-among-coloured",
            "note",
            counted(len(grey), "picture is grey", "pictures are grey") + ", the others are coloured",
            "Harmless if every class has some; else the model learns the colour."
            + (f" `{key}: true` makes all grey." if key else ""),
            tuple(Case((name,)) for name in grey),
        )


def _of_odd_kind(usable: Sequence[Named]) -> Iterator[Finding]:
    for kind, (words, remedy) in _KINDS.items():
        cases = tuple(Case((name,), record.format) for name, record in usable if kind in record.kinds)
        if cases:
            message = f"{counted(len(cases), 'picture', 'pictures')} {words}"
            yield Finding(f"{kind}-picture", "note", message, remedy, cases)
    misnamed = tuple(Case((name,), f"is {record.format}") for name, record in usable if _misnamed(name, record))
    if misnamed:
        message = counted(len(misnamed), "file is of another format", "files are of another format") + " than named"
        yield Finding("wrong-suffix", "note", message, "They are read all the same. Other programs may not.", misnamed)


def _fault(
    named: Sequence[Named], detail: Callable[[Record], str], kind: str, level: Level, one: str, many: str, remedy: str
) -> Iterator[Finding]:
    """The fault of every file for which ``detail`` has something to say."""
    cases = tuple(Case((name,), said) for name, record in named if (said := detail(record)))
    if cases:
        yield Finding(kind, level, counted(len(cases), one, many), remedy, cases)


def _trouble_is(trouble: str) -> Callable[[Record], str]:
    return lambda record: record.reason if record.trouble == trouble else ""


def _blank(record: Record) -> str:
    return _size(record) if record.look is not None and record.look.flat else ""


def _misnamed(name: str, record: Record) -> bool:
    suffix = name.rpartition(".")[2].lower() if "." in name.rpartition("/")[2] else ""
    return suffix not in _SUFFIXES.get(record.format, {record.format})


def _short(record: Record) -> int:
    return min(record.width, record.height)


def _aspect(record: Record) -> float:
    return max(record.width, record.height) / max(_short(record), 1)


def _size(record: Record) -> str:
    return f"{record.width} × {record.height}"
