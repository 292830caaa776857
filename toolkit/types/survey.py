"""What a data set claims to hold before any file is opened: names, labels and splits, in a form that knows no task."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from toolkit.types.finding import Finding

__all__ = ["Survey", "SurveyKeys", "SurveyPart"]

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class SurveyPart:
    """One split.

    Args:
        names: how the report calls each sample, e.g. the path below the data set's folder.
        labels: the labels of each sample; none, one or several. None: the data have no labels, and nobody misses them.
        classes: every label that there is room for, whether a sample has it or not; by default those that one has.
        files: the file of each sample, or None where the pictures are in memory.
        images: the pictures in memory, uint8 (n, h, w) or (n, h, w, c), or None.

    Raises:
        ValueError: there are not as many labels, files or images as names.
    """

    names: Sequence[str]
    labels: Sequence[Sequence[str]] | None = None
    classes: Sequence[str] = ()
    files: Sequence[str | os.PathLike[str]] | None = None
    images: Pixels | None = None

    def __post_init__(self) -> None:
        for name in ("labels", "files", "images"):
            values = getattr(self, name)
            if values is not None and len(values) != len(self.names):
                raise ValueError(f"a SurveyPart has {len(self.names)} names, but {len(values)} {name}")
        if not self.classes:
            found = dict.fromkeys(label for labels in self.labels or () for label in labels)
            object.__setattr__(self, "classes", tuple(found))

    def __len__(self) -> int:
        return len(self.names)

    def each(self) -> list[tuple[str, ...]]:
        """The labels of each sample; none for any where the data have none."""
        return [()] * len(self) if self.labels is None else [tuple(labels) for labels in self.labels]


@dataclass(frozen=True)
class SurveyKeys:
    """A task's keys that a report may advise to set, e.g. ``data.image_size``; None where the task has none.

    Args:
        duplicates: keeps copies in one split if set to ``exact`` or ``near``.
        input_side: side of the model's input in pixels.
        grey: makes all pictures grey if it is true.
        sampler: draws rare classes more often.
    """

    duplicates: str | None = None
    input_side: str | None = None
    grey: str | None = None
    sampler: str | None = None


@dataclass(frozen=True)
class Survey:
    """What a task hands over for ``vtk check`` to read: the answer of ``vtk_survey``.

    Args:
        place: where the data are, for people.
        parts: split → samples. ``train`` alone: the data are not split.
        faults: what is wrong with the listing itself, e.g. files that belong to no class.
        cut: the recipe makes splits that are not the data set's own.
        fixed: the splits that are the data set's own all the same, so that no key keeps copies out of them.
        keys: the recipe's keys that the report may advise to set.
        seen: the training sample at a position as it enters the model, uint8 (h, w, c), augmented, before it is
            normalised; or None.
        input_side: shorter side of the model's input in pixels, or None.
    """

    place: str
    parts: Mapping[str, SurveyPart]
    faults: Sequence[Finding] = ()
    cut: bool = False
    fixed: Collection[str] = ()
    keys: SurveyKeys = SurveyKeys()
    seen: Callable[[int], Pixels] | None = field(default=None, repr=False)
    input_side: int | None = None

    @property
    def labelled(self) -> bool:
        """Whether the data have labels, or are meant to."""
        return any(part.labels is not None for part in self.parts.values())
