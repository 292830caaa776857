"""The survey of what a source found, before any file is opened."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from toolkit.data.sources.index import Found, ImageArrays, ImageFiles
from toolkit.types.finding import Finding
from toolkit.types.survey import Survey, SurveyPart

__all__ = ["part_of", "survey_of"]

Index = ImageFiles | ImageArrays


def survey_of(found: Found, place: str, faults: Sequence[Finding] = ()) -> Survey:
    """What a source found, as it is."""
    parts = {"train": found.train, "val": found.val, "test": found.test}
    return Survey(place, {name: part_of(index) for name, index in parts.items() if index is not None}, faults)


def part_of(index: Index) -> SurveyPart:
    """One split of a source. Targets are class numbers, shape (n,), or multi-hot, shape (n, classes)."""
    labels: list[tuple[str, ...]] = [()] * len(index)
    if index.targets is not None and index.targets.ndim == 1:
        alone = [(name,) for name in index.classes]
        labels = [alone[target] for target in index.targets.tolist()]
    elif index.targets is not None:
        labels = [tuple(index.classes[place] for place in np.flatnonzero(row)) for row in index.targets]
    if isinstance(index, ImageArrays):
        return SurveyPart(index.keys, labels, index.classes, images=index.images)
    return SurveyPart(index.keys, labels, index.classes, files=index.locations)
