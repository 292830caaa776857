"""What a report is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_MOST_SHOWN, _SHOWN_FIRST, _SHOWN_LAST = 200, 100, 2


@dataclass(frozen=True)
class Figure:
    """A picture in the report.

    Args:
        name: file stem, e.g. ``confusion-matrix``.
        caption: one line under the picture.
        draw: writes the PNG to the path that it is given.
    """

    name: str
    caption: str
    draw: Callable[[Path], None]


@dataclass(frozen=True)
class Table:
    """A table in the report: ``rows`` of cells under ``columns``."""

    name: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]

    def shown(self) -> Sequence[Sequence[Any]]:
        """The rows that people are shown: of more than 200 the first 100, how many there are besides, the last two.

        The last ones are where means stand. JSON has all of them.
        """
        if len(self.rows) <= _MOST_SHOWN:
            return self.rows
        left_out = len(self.rows) - _SHOWN_FIRST - _SHOWN_LAST
        gap = [f"… {left_out:,} more rows in JSON", *[None] * (len(self.columns) - 1)]
        return [*self.rows[:_SHOWN_FIRST], gap, *self.rows[-_SHOWN_LAST:]]


@dataclass
class Result:
    """What a run or an evaluation found.

    Args:
        split: which split was evaluated, ``val`` or ``test``; empty where there was none.
        metrics: scalar results by name, without a split prefix.
        outputs: the model's outputs for the split, float32 on the CPU, or None.
        targets: what they are compared with, or None.
        collected: the metrics' collection itself, which may have counted what a report would have to count again, also
            where outputs and targets are too large to be kept; or None.
    """

    split: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    outputs: Any = None
    targets: Any = None
    collected: Any = None
