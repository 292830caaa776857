"""Decision thresholds for each label, tuned on validation."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["best_threshold", "tuned_thresholds"]

Floats = npt.NDArray[np.float64]


def tuned_thresholds(probabilities: npt.NDArray[Any], targets: npt.NDArray[Any]) -> list[float]:
    """For each label the threshold with the best F1. Both of shape (n, labels), targets 0 or 1."""
    columns = zip(probabilities.T.astype(np.float64), targets.T.astype(bool), strict=True)
    return [best_threshold(column, present) for column, present in columns]


def best_threshold(probabilities: Floats, present: npt.NDArray[np.bool_]) -> float:
    """The cut with the best F1, halfway between two neighbouring probabilities; 0.5 where the label never occurs or a
    probability is NaN.

    F1 = 2 TP / (predicted + positives) for "probability ≥ threshold". Of equally good cuts it is the one nearest 0.5.
    """
    if not present.any() or np.isnan(probabilities).any():
        return 0.5
    order = np.argsort(-probabilities, kind="stable")
    falling, hits = probabilities[order], np.cumsum(present[order])
    f1 = 2 * hits / (np.arange(1, len(falling) + 1) + present.sum())
    # A cut goes between two different values only; the last one takes every image in.
    following = np.append(falling[1:], 0.0)
    f1[:-1][falling[:-1] == falling[1:]] = -1.0
    cuts = (falling + following) / 2
    best = np.flatnonzero(f1 >= f1.max() - 1e-12)
    return float(cuts[best[np.abs(cuts[best] - 0.5).argmin()]])
