"""The report itself: every file read once, every kind of fault looked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from toolkit.data.splits.fingerprints import duplicate_arrays
from toolkit.data_audit.classes import class_counts, class_faults
from toolkit.data_audit.duplicates import Sample, twin_faults, twin_faults_of
from toolkit.data_audit.files import file_faults
from toolkit.data_audit.scan import Record, scan_files
from toolkit.data_audit.sizes import Sizes, measure
from toolkit.types.finding import LEVELS, Finding, worst_first
from toolkit.types.survey import Survey

__all__ = ["DataReport", "check_data"]


@dataclass
class DataReport:
    """What was found.

    Args:
        place: where the data are.
        splits: pictures in each split.
        counts: class → split → pictures.
        faults: worst first.
        sizes: sizes, shapes and formats of the files; or None where the pictures are in memory.
        seconds: how long reading and comparing took.
        survey: what was read.
    """

    place: str
    splits: dict[str, int]
    counts: Mapping[str, Mapping[str, int]]
    faults: list[Finding]
    sizes: Sizes | None
    seconds: float
    survey: Survey = field(repr=False)

    @property
    def pictures(self) -> int:
        """Samples in all splits."""
        return sum(self.splits.values())

    @property
    def levels(self) -> dict[str, int]:
        """How many kinds of fault there are of each level."""
        return {level: sum(fault.level == level for fault in self.faults) for level in LEVELS}

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "place": self.place,
            "pictures": self.pictures,
            "splits": self.splits,
            "cut_by_recipe": self.survey.cut,
            "in_memory": self.sizes is None,
            "classes": self.counts,
            "sizes": None if self.sizes is None else self.sizes.to_json(),
            "seconds": self.seconds,
            "levels": self.levels,
            "faults": [fault.to_json() for fault in self.faults],
        }


def check_data(
    survey: Survey, *, workers: int | None = None, done: Callable[[int], None] = lambda count: None
) -> DataReport:
    """Reads every file of the survey and looks for every kind of fault.

    Args:
        workers: threads; by default one for each core.
        done: told how many more files were read.
    """
    started = time.perf_counter()
    samples = [
        Sample(name, split, labels)
        for split, part in survey.parts.items()
        for name, labels in zip(part.names, part.each(), strict=True)
    ]
    counts = class_counts(survey)
    faults = [*survey.faults, *(class_faults(counts, survey.keys) if survey.labelled else ())]
    sizes = None
    if all(part.files is not None for part in survey.parts.values()):
        files = [file for part in survey.parts.values() for file in part.files or ()]
        records = scan_files(files, workers=workers, done=done)
        faults += _faults_in_files(survey, samples, records)
        sizes = measure(records)
    else:
        faults += _faults_in_memory(survey, samples)
    splits = {split: len(part) for split, part in survey.parts.items()}
    return DataReport(survey.place, splits, counts, worst_first(faults), sizes, time.perf_counter() - started, survey)


def _faults_in_files(survey: Survey, samples: list[Sample], records: list[Record]) -> Iterator[Finding]:
    named = [(sample.name, record) for sample, record in zip(samples, records, strict=True)]
    yield from file_faults(named, survey.input_side, survey.keys)
    yield from twin_faults(samples, records, survey)


def _faults_in_memory(survey: Survey, samples: list[Sample]) -> Iterator[Finding]:
    images = [part.images for part in survey.parts.values() if part.images is not None]
    if len({image.shape[1:] for image in images}) == 1:
        yield from twin_faults_of(samples, duplicate_arrays(np.concatenate(images)), survey)
