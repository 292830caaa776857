"""Which samples belong together in a split: copies of one picture, and what a recipe names a group by."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator, model_validator

from toolkit.data.expressions import require_group
from toolkit.data.sources.index import ImageArrays, Index
from toolkit.data.sources.missing import listed
from toolkit.errors import ExitCode, VtkError
from toolkit.section import Section

if TYPE_CHECKING:
    from toolkit.data.sources.source import Source

__all__ = ["Duplicates", "GroupBy", "GroupChoice", "copies", "group_names", "union"]

Indices = npt.NDArray[np.int64]
Duplicates = Literal["exact", "near"]

_LAST: dict[str, Any] = {}
"""The near copies found last, which decoded every file: ``vtk check`` asks for them for its plan and for its report."""


class GroupBy(Section):
    """What names the group that a sample belongs to, e.g. a patient or a camera; give one of the two."""

    column: str | None = Field(None, description="A column of the source's CSV.")
    pattern: str | None = Field(
        None,
        description="Regular expression that is searched for in each path, with a group `group`: "
        r"`(?P<group>patient\d+)`.",
    )

    @field_validator("pattern")
    @classmethod
    def _has_group(cls, pattern: str | None) -> str | None:
        return None if pattern is None else require_group(pattern, "group", "names the group")

    @model_validator(mode="after")
    def _one_way(self) -> GroupBy:
        if (self.column is None) == (self.pattern is None):
            raise ValueError("give either column or pattern")
        return self


GroupChoice = Literal["folder"] | GroupBy


def group_names(index: Index, by: GroupChoice, source: Source | None) -> list[str]:
    """The name of each sample's group.

    Raises:
        VtkError: the samples have no paths, a path does not match, or the source has no such column.
    """
    if isinstance(index, ImageArrays):
        raise VtkError(
            "images in memory have neither paths nor columns to be grouped by",
            place="data.split.group",
            hint="leave it out; equal images are kept together anyway",
            code=ExitCode.RECIPE,
        )
    if by == "folder":
        return [path.rpartition("/")[0].rpartition("/")[2] for path in index.paths]
    if by.pattern is not None:
        return _matched(index.paths, by.pattern)
    assert by.column is not None
    assert source is not None
    values = source.column(by.column)
    return [values[path] for path in index.paths]


def _matched(paths: Sequence[str], pattern: str) -> list[str]:
    expression = re.compile(pattern)
    found = [expression.search(path) for path in paths]
    without = [path for path, match in zip(paths, found, strict=True) if match is None or not match["group"]]
    if without:
        raise VtkError(
            f"{len(without)} of {len(paths)} paths do not match {pattern}: {listed(without)}",
            place="data.split.group.pattern",
            hint="every image must belong to a group; mend the pattern",
        )
    return [str(match["group"]) for match in found if match is not None]


def copies(index: Index, duplicates: Duplicates) -> Indices:
    """Groups of copies: for each sample the position of the first that is the same picture, shape (n,).

    ``exact`` are equal files, of which only what can be equal is read and what was read is kept for later runs; or
    equal pixels in memory. ``near`` looks at every picture, and decodes every file for it.
    """
    from toolkit.data.splits import fingerprints

    if isinstance(index, ImageArrays):
        return fingerprints.duplicate_arrays(index.images, near=duplicates == "near")
    if duplicates == "exact":
        return fingerprints.equal_files(index.locations, index.states, fingerprints.Kept(index.root))
    state = index.locations, index.states.tobytes()
    if _LAST.get("state") != state:
        _LAST.update(state=state, labels=fingerprints.duplicate_groups(index.locations, near=True))
    return np.array(_LAST["labels"])


def union(partitions: Sequence[Sequence[Any] | Indices]) -> Indices:
    """Samples that any of the partitions puts together, directly or through others: one number each, shape (n,)."""
    numbered = [np.unique(np.asarray(one), return_inverse=True)[1].reshape(-1) for one in partitions]
    labels = np.arange(len(numbered[0]))
    while True:
        before = labels.copy()
        for groups in numbered:
            least = np.full(int(groups.max(initial=-1)) + 1, len(labels))
            np.minimum.at(least, groups, labels)
            labels = least[groups]
        if np.array_equal(before, labels):
            return labels


def groups_in_several_parts(parts: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The groups that are in several splits, with those splits' names. ``parts``: split → its samples' groups."""
    where: dict[str, list[str]] = {}
    for part, groups in parts.items():
        for group in dict.fromkeys(groups):
            where.setdefault(group, []).append(part)
    return {group: names for group, names in where.items() if len(names) > 1}
