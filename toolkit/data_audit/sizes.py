"""Sizes, shapes and formats of the pictures, as counts."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from toolkit.data_audit.scan import Record

__all__ = ["Sizes", "measure"]

_SHAPES = {
    "below 1:3": 1 / 3.5,
    "1:3": 1 / 3,
    "1:2": 1 / 2,
    "2:3": 2 / 3,
    "3:4": 3 / 4,
    "1:1": 1,
    "4:3": 4 / 3,
    "3:2": 3 / 2,
    "2:1": 2,
    "3:1": 3,
    "above 3:1": 3.5,
}
"""Shapes (width to height) by which aspect ratios are counted; each picture counts for the nearest on a log scale."""


@dataclass
class Sizes:
    """What is usual in the data set.

    Args:
        width, height: least, median and largest, in pixels.
        aspects: pictures of each shape, width to height.
        short_sides: pictures by short side, in octaves: ``{"256 to 511": 12}``.
        formats: files of each format.
        bytes: all files together.
    """

    width: tuple[int, int, int] = (0, 0, 0)
    height: tuple[int, int, int] = (0, 0, 0)
    aspects: dict[str, int] = field(default_factory=dict)
    short_sides: dict[str, int] = field(default_factory=dict)
    formats: dict[str, int] = field(default_factory=dict)
    bytes: int = 0

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        names = ("least", "median", "largest")
        sides = {
            "width": dict(zip(names, self.width, strict=True)),
            "height": dict(zip(names, self.height, strict=True)),
        }
        return sides | {
            "aspects": self.aspects,
            "short_sides": self.short_sides,
            "formats": self.formats,
            "bytes": self.bytes,
        }


def measure(records: Sequence[Record]) -> Sizes:
    """Counts over the files that can be decoded."""
    usable = [record for record in records if not record.trouble]
    if not usable:
        return Sizes(bytes=sum(record.length for record in records))
    shapes = Counter(_shape(record.width / record.height) for record in usable)
    octaves = Counter(int(math.log2(min(record.width, record.height))) for record in usable)
    return Sizes(
        _spread([record.width for record in usable]),
        _spread([record.height for record in usable]),
        {name: shapes[name] for name in _between(list(_SHAPES), shapes)},
        {f"{2**k:,} to {2 ** (k + 1) - 1:,}": octaves[k] for k in range(min(octaves), max(octaves) + 1)},
        dict(Counter(record.format for record in usable).most_common()),
        sum(record.length for record in records),
    )


def _shape(aspect: float) -> str:
    return min(_SHAPES, key=lambda name: abs(math.log(_SHAPES[name] / aspect)))


def _between(names: list[str], counts: Counter[str]) -> list[str]:
    """The names from the first that has a count to the last."""
    places = [place for place, name in enumerate(names) if counts[name]]
    return names[places[0] : places[-1] + 1]


def _spread(values: Sequence[int]) -> tuple[int, int, int]:
    return min(values), int(statistics.median(values)), max(values)
