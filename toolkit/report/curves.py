"""The history of a run as curves: one chart for each metric, training and validation in it side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = {"train": "#1f77b4", "val": "#d62728", "": "#555555"}
_COLUMNS = 3

Points = list[tuple[float, float]]


def draw_curves(history: Sequence[Mapping[str, float]], path: Path) -> None:
    """Draw every metric of ``history`` over the epochs into a PNG file."""
    # The figure is made without pyplot, which would keep it in a global list and choose a window system.
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    charts = curves(history)
    columns = min(_COLUMNS, len(charts)) or 1
    rows = math.ceil(len(charts) / columns) or 1
    figure = Figure(figsize=(4.2 * columns, 3.0 * rows), dpi=110, layout="constrained")
    for number, (name, lines) in enumerate(charts.items(), start=1):
        axes = figure.add_subplot(rows, columns, number)
        _draw_chart(axes, name, lines)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    figure.savefig(path, format="png")


def curves(history: Sequence[Mapping[str, float]]) -> dict[str, dict[str, Points]]:
    """``{metric: {split: [(epoch, value)]}}``; values that are not finite are left out."""
    charts: dict[str, dict[str, Points]] = {}
    for number, row in enumerate(history, start=1):
        epoch = row.get("epoch", number)
        for key, value in row.items():
            if key in {"epoch", "step"} or not math.isfinite(value):
                continue
            split, _, name = key.rpartition("/")
            charts.setdefault(name, {}).setdefault(split, []).append((epoch, value))
    return charts


def _draw_chart(axes: Axes, name: str, lines: Mapping[str, Points]) -> None:
    for split, points in lines.items():
        epochs, values = zip(*points, strict=True)
        marker = "o" if len(points) < 30 else None
        axes.plot(epochs, values, marker=marker, markersize=3, color=_COLOURS.get(split), label=split or None)
    axes.set_title(name)
    axes.set_xlabel("epoch")
    axes.grid(alpha=0.3)
    if any(lines):
        axes.legend()
