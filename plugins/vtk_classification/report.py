"""What the report shows of a classifier: figures per class, confusions, and samples as they enter the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit import Figure, Table
from toolkit.labelled_images import figure_text, sample_sheet
from vtk_classification.confusions import Confusions, Counts, Floats
from vtk_classification.metrics import counted

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from toolkit import Result, Run

_MOST_NUMBERS = 20  # beyond so many classes the numbers in the cells cannot be read
_MOST_DRAWN = 100  # beyond so many classes the names on the axes cannot be read; tables take the picture's place
_LISTED = 50
_FIGURES = ("precision", "recall", "F1", "support")


def report(run: Run, result: Result) -> list[Figure | Table]:
    """What there is to show: evaluated outputs, training samples."""
    items: list[Figure | Table] = []
    names = run.data.meta["classes"]
    found = confusions(result, len(names))
    if found is not None:
        items.append(class_table(found, names))
        if len(names) <= _MOST_DRAWN:
            items.append(confusion_figure(found, names))
        else:
            items += [worst_classes(found, names), most_confused(found, names)]
    if run.data.train is not None and run.trained_meta is None:
        items.append(sample_sheet(run, lambda targets: [names[target] for target in targets.tolist()]))
    return items


def confusions(result: Result, classes: int) -> Confusions | None:
    """How often each class was taken for each: as the metrics counted it, else from the outputs."""
    found = counted(result.collected)
    if found is None and result.outputs is not None and result.targets is not None:
        return Confusions.of(result.targets.numpy(), result.outputs.argmax(1).numpy(), classes)
    return found


def class_table(found: Confusions, classes: Sequence[str]) -> Table:
    """Precision, recall, F1 and support of each class, and their means over the classes that have samples.

    Args:
        found: how often each class was taken for each.
        classes: names in the order of the outputs.
    """
    figures = np.stack([found.precision, found.recall, found.f1])
    rows = [[name, *shares, count] for name, shares, count in _by_class(figures, found.support, classes)]
    occurs = found.support > 0
    if occurs.any():
        for name, weights in (("macro avg", occurs), ("weighted avg", found.support)):
            rows.append([name, *_rounded(np.average(figures, axis=1, weights=weights)), int(found.support.sum())])
    return Table("classification-report", "Precision, recall and F1 of each class", ("class", *_FIGURES), rows)


def _by_class(figures: Floats, support: Counts, classes: Sequence[str]) -> Iterator[tuple[str, list[float], int]]:
    return zip(classes, map(_rounded, figures.T), support.tolist(), strict=True)


def _rounded(shares: Floats) -> list[float]:
    return [round(share, 4) for share in shares.tolist()]


def worst_classes(found: Confusions, classes: Sequence[str]) -> Table:
    """The classes with the lowest F1, of equal ones those with most samples first."""
    worst = np.lexsort((-found.support, found.f1))
    chosen = worst[found.support[worst] > 0][:_LISTED]
    figures = np.stack([found.precision, found.recall, found.f1])[:, chosen]
    named = _by_class(figures, found.support[chosen], [classes[place] for place in chosen])
    rows = [[name, *shares, count] for name, shares, count in named]
    return Table("worst-classes", "The classes with the lowest F1", ("class", *_FIGURES), rows)


def most_confused(found: Confusions, classes: Sequence[str]) -> Table:
    """The pairs of two classes that occur most often."""
    wrong = np.flatnonzero(found.true != found.taken)
    chosen = wrong[np.argsort(-found.counts[wrong], kind="stable")][:_LISTED]
    shares = found.counts[chosen] / found.support[found.true[chosen]]
    columns = zip(found.true[chosen], found.taken[chosen], found.counts[chosen].tolist(), _rounded(shares), strict=True)
    rows = [[classes[true], classes[taken], count, share] for true, taken, count, share in columns]
    caption = "What was most often taken for something else"
    return Table("most-confused", caption, ("class", "taken for", "times", "share of the class"), rows)


def confusion_figure(found: Confusions, classes: Sequence[str]) -> Figure:
    """A heat map of true against predicted classes; colours are shares of the true class, numbers are counts."""
    return Figure(
        "confusion-matrix",
        "True classes (rows) and what they were taken for (columns)",
        partial(_draw_confusions, found.dense(), list(classes)),
    )


def _draw_confusions(counts: npt.NDArray[Any], classes: Sequence[str], path: Path) -> None:
    from matplotlib.figure import Figure as Canvas

    side = min(3.0 + 0.55 * len(classes), 16.0)
    canvas = Canvas(figsize=(side + 1, side), layout="constrained")
    axes = canvas.subplots()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    ticks, names = range(len(classes)), [figure_text(name) for name in classes]
    axes.set_xticks(ticks, names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(ticks, names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    if len(classes) <= _MOST_NUMBERS:
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=9)
    canvas.colorbar(image, ax=axes, label="share of the true class", shrink=0.8)
    canvas.savefig(path, dpi=120)
