"""What the report shows of a classifier: figures per class, confusions, and samples as they enter the model."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit import Figure, Table
from toolkit.run.sample_sheet import sample_sheet

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt
    from torch import Tensor

    from toolkit import Result, Run

_MOST_NUMBERS = 20  # beyond so many classes the numbers in the cells cannot be read


def report(run: Run, result: Result) -> list[Figure | Table]:
    """What there is to show: evaluated outputs, training samples."""
    items: list[Figure | Table] = []
    if result.outputs is not None and result.targets is not None:
        classes = run.data.meta["classes"]
        items.append(class_table(result.outputs, result.targets, classes))
        items.append(confusion_figure(result.outputs, result.targets, classes))
    if run.data.train is not None and run.trained_meta is None:
        names = run.data.meta["classes"]
        items.append(sample_sheet(run, lambda targets: [names[target] for target in targets.tolist()]))
    return items


def class_table(outputs: Tensor, targets: Tensor, classes: Sequence[str]) -> Table:
    """Precision, recall, F1 and support of each class, and their means.

    Args:
        outputs: logits, shape (n, classes).
        targets: class positions, shape (n,).
        classes: names in the order of the outputs.
    """
    from sklearn.metrics import classification_report

    found = classification_report(
        targets.numpy(),
        outputs.argmax(1).numpy(),
        labels=range(len(classes)),
        target_names=classes,
        output_dict=True,
        zero_division=0.0,
    )
    means = [name for name in ("macro avg", "weighted avg") if name in found]
    rows = [_row(name, found[name]) for name in (*classes, *means)]
    columns = ("class", "precision", "recall", "F1", "support")
    return Table("classification-report", "Precision, recall and F1 of each class", columns, rows)


def _row(name: str, values: dict[str, float]) -> list[Any]:
    shares = [round(float(values[key]), 4) for key in ("precision", "recall", "f1-score")]
    return [name, *shares, int(values["support"])]


def confusion_figure(outputs: Tensor, targets: Tensor, classes: Sequence[str]) -> Figure:
    """A heat map of true against predicted classes; colours are shares of the true class, numbers are counts."""
    from sklearn.metrics import confusion_matrix

    counts = confusion_matrix(targets.numpy(), outputs.argmax(1).numpy(), labels=range(len(classes)))
    return Figure(
        "confusion-matrix",
        "True classes (rows) and what they were taken for (columns)",
        partial(_draw_confusions, counts, list(classes)),
    )


def _draw_confusions(counts: npt.NDArray[Any], classes: Sequence[str], path: Path) -> None:
    from matplotlib.figure import Figure as Canvas

    side = min(3.0 + 0.55 * len(classes), 16.0)
    canvas = Canvas(figsize=(side + 1, side), layout="constrained")
    axes = canvas.subplots()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    ticks = range(len(classes))
    axes.set_xticks(ticks, classes, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(ticks, classes)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    if len(classes) <= _MOST_NUMBERS:
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=9)
    canvas.colorbar(image, ax=axes, label="share of the true class", shrink=0.8)
    canvas.savefig(path, dpi=120)
