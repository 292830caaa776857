"""What a report is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


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
