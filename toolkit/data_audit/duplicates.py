"""Faults between pictures: copies and near copies, within a split, in two splits, under two labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toolkit.data.splits.fingerprints import equal_groups, look_groups
from toolkit.data_audit.scan import Record
from toolkit.types.finding import Case, Finding, Level, counted
from toolkit.types.survey import Survey

__all__ = ["Sample", "twin_faults", "twin_faults_of"]

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sample:
    """What the report knows of a sample apart from its pixels."""

    name: str
    split: str
    labels: tuple[str, ...]


def twin_faults(samples: Sequence[Sample], records: Sequence[Record], survey: Survey) -> Iterator[Finding]:
    """Copies among files: by content, and by look."""
    exact = equal_groups([record.content for record in records])
    yield from twin_faults_of(samples, exact, survey)
    near = look_groups([record.look for record in records], exact)
    yield from _faults(samples, list(_several(near, exact)), near=True, survey=survey)


def twin_faults_of(samples: Sequence[Sample], labels: Labels, survey: Survey) -> Iterator[Finding]:
    """Exact copies, told by equal ``labels``."""
    yield from _faults(samples, list(_groups(labels)), near=False, survey=survey)


def _groups(labels: Labels) -> Iterator[list[int]]:
    """Positions with the same label, where there are two or more."""
    members: dict[int, list[int]] = defaultdict(list)
    for place, label in enumerate(labels.tolist()):
        members[label].append(place)
    return (group for group in members.values() if len(group) > 1)


def _several(near: Labels, exact: Labels) -> Iterator[list[int]]:
    """Groups that look alike and are more than copies of one file."""
    return (group for group in _groups(near) if len({int(exact[place]) for place in group}) > 1)


def _faults(samples: Sequence[Sample], groups: Iterable[list[int]], *, near: bool, survey: Survey) -> Iterator[Finding]:
    by_fault: dict[str, list[Case]] = {"labels": [], "splits": [], "": []}
    for group in groups:
        members = [samples[place] for place in group]
        labels = {member.labels for member in members}
        splits = {member.split for member in members}
        told = [where for where, values in (("labels", labels), ("splits", splits)) if len(values) > 1]
        names = tuple(member.name for member in members)
        for where in told or [""]:
            by_fault[where].append(Case(names, _difference(where, members)))
    for where, cases in by_fault.items():
        if cases:
            yield _fault(where, tuple(cases), near, survey)


def _difference(where: str, members: Sequence[Sample]) -> str:
    if where == "labels":
        return " / ".join(dict.fromkeys("+".join(member.labels) or "no label" for member in members))
    if where == "splits":
        return " / ".join(dict.fromkeys(member.split for member in members))
    return f"{len(members)} times"


def _in_fixed(case: Case, survey: Survey) -> bool:
    """Whether a case, told by its splits, reaches into one that is the data set's own."""
    return bool(set(case.detail.split(" / ")) & set(survey.fixed))


def _fault(where: str, cases: tuple[Case, ...], near: bool, survey: Survey) -> Finding:
    kind, alike = ("near-copy", " in versions that look alike") if near else ("copy", "")
    crossing: Level = "warning" if near else "error"
    what = counted(len(cases), "picture", "pictures") + alike
    if where == "labels":
        remedy = "At most one of the labels is right. Keep the files that have it."
        return Finding(f"{kind}-with-two-labels", crossing, f"{what} with different labels", remedy, cases)
    if where == "splits":
        message = f"{what} in more than one split{', as the recipe cuts them' if survey.cut else ''}"
        remedy = "The model is examined on what it has learnt by heart: figures come out too good. Keep one of them"
        key = survey.keys.duplicates
        if key and not all(_in_fixed(case, survey) for case in cases):
            remedy += f", or set {key} to {'near' if near else 'exact'}"
            remedy += f"; that moves none out of {', '.join(sorted(survey.fixed))}." if survey.fixed else "."
        else:
            remedy += "."
        return Finding(f"{kind}-across-splits", crossing, message, remedy, cases)
    remedy = "They count more than others. Keep one of each, unless that is meant."
    return Finding(
        f"{kind}-in-split", "note" if near else "warning", f"{what}, more than once in one split", remedy, cases
    )
