"""What the report shows of a multi-label classifier: figures per label, precision against recall, samples."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from toolkit import Figure, Table
from toolkit.labelled_images import figure_text, sample_sheet
from vtk_multilabel.metrics import ranks

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from toolkit import Result, Run

_MOST_CURVES = 20  # beyond so many labels the lines cannot be told apart


def report(run: Run, result: Result) -> list[Figure | Table]:
    """What there is to show: evaluated outputs, training samples."""
    items: list[Figure | Table] = []
    meta = run.data.meta
    if result.outputs is not None and result.targets is not None and not result.outputs.isnan().any():
        logits, targets = result.outputs.double(), result.targets.numpy().astype(bool)
        items.append(
            label_table(logits.sigmoid().numpy(), targets, meta["classes"], meta["thresholds"], logits.numpy())
        )
        items.append(curve_figure(logits.numpy(), targets, meta["classes"]))
    if run.data.train is not None and run.trained_meta is None:
        items.append(sample_sheet(run, lambda targets: [_title(row, meta["classes"]) for row in targets]))
    return items


def label_table(
    probabilities: npt.NDArray[Any],
    targets: npt.NDArray[np.bool_],
    classes: Sequence[str],
    thresholds: Sequence[float],
    scores: npt.NDArray[Any] | None = None,
) -> Table:
    """Average precision of each label, and precision, recall and F1 of the decisions at its threshold.

    Args:
        probabilities: shape (n, labels).
        targets: which labels there are, shape (n, labels).
        classes: names in the order of the outputs.
        thresholds: one for each label.
        scores: what ranks the images, shape (n, labels): logits, which differ where probabilities are all 1.
    """
    ranked = probabilities if scores is None else scores
    decided = probabilities >= np.asarray(thresholds)
    rows = [
        [
            name,
            *_figures(ranked[:, i], decided[:, i], targets[:, i]),
            round(thresholds[i], 3),
            int(targets[:, i].sum()),
        ]
        for i, name in enumerate(classes)
    ]
    columns = ("label", "average precision", "precision", "recall", "F1", "threshold", "support")
    return Table("labels", "Each label by itself", columns, rows)


def _figures(scores: npt.NDArray[Any], decided: npt.NDArray[np.bool_], present: npt.NDArray[np.bool_]) -> list[Any]:
    """None where a figure has no meaning: recall without positives, precision without decisions."""
    from sklearn.metrics import average_precision_score

    hits = int((decided & present).sum())
    area = round(float(average_precision_score(present, ranks(scores))), 4) if present.any() else None
    return [
        area,
        _share(hits, decided.sum()),
        _share(hits, present.sum()),
        _share(2 * hits, decided.sum() + present.sum()),
    ]


def _share(part: int, whole: Any) -> float | None:
    return round(part / int(whole), 4) if whole else None


def curve_figure(scores: npt.NDArray[Any], targets: npt.NDArray[np.bool_], classes: Sequence[str]) -> Figure:
    """Precision against recall over all thresholds, a line for each label that occurs."""
    return Figure(
        "precision-recall",
        "Precision against recall over all thresholds",
        partial(_draw_curves, scores, targets, list(classes)),
    )


def _draw_curves(scores: Any, targets: Any, classes: Sequence[str], path: Path) -> None:
    from matplotlib.figure import Figure as Canvas
    from sklearn.metrics import precision_recall_curve

    canvas = Canvas(figsize=(6.5, 5), layout="constrained")
    axes = canvas.subplots()
    shown = [i for i in range(len(classes)) if targets[:, i].any()][:_MOST_CURVES]
    for i in shown:
        precision, recall, _ = precision_recall_curve(targets[:, i], ranks(scores[:, i]))
        axes.plot(recall, precision, label=figure_text(classes[i]), linewidth=1.2)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.01), ylim=(0, 1.01))
    axes.grid(alpha=0.3)
    if shown:
        axes.legend(fontsize=8, ncols=2)
    canvas.savefig(path, dpi=110)


def _title(row: Tensor, classes: Sequence[str]) -> str:
    return ", ".join(classes[i] for i in row.nonzero().flatten().tolist()) or "no label"
