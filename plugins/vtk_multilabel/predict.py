"""Labels of image files, from a bundle alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolkit import Bundle
    from toolkit.labelled_images import LabelMeta


def predict(bundle: Bundle, inputs: Sequence[Path]) -> list[dict[str, Any]]:
    """One record for each file, in order.

    ``labels`` are those whose probability reaches the label's threshold, the likeliest first, with their
    ``probabilities``; ``scores`` has the probability of every label. A file may have no labels.

    Raises:
        ImageError: for the first file that is no image.
    """
    from toolkit.labelled_images import file_outputs, label_meta

    if not inputs:
        return []
    rows = file_outputs(bundle, inputs).double().sigmoid().tolist()
    meta = label_meta(bundle.meta, str(bundle.directory))
    return [_record(file, row, meta) for file, row in zip(inputs, rows, strict=True)]


def _record(file: Path, probabilities: Sequence[float], meta: LabelMeta) -> dict[str, Any]:
    classes, thresholds = meta.classes, meta.thresholds
    ranked = sorted(range(len(classes)), key=lambda i: -probabilities[i])
    there = [i for i in ranked if probabilities[i] >= thresholds[i]]
    return {
        "file": str(file),
        "labels": [classes[i] for i in there],
        "probabilities": [round(probabilities[i], 4) for i in there],
        "scores": {classes[i]: probabilities[i] for i in ranked},
    }
