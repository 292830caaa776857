"""Cutting labelled samples into training, validation and test splits, once; a manifest keeps the cut.

Samples that belong together (copies of one picture, pictures of one patient) are never in two splits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from toolkit.bounds import Seed
from toolkit.data.sources.index import Found, ImageFiles, Index, concatenated
from toolkit.data.sources.missing import listed
from toolkit.data.splits.groups import Duplicates, GroupChoice, copies, group_names, groups_in_several_parts, union
from toolkit.data.splits.manifest import apply_manifest, of_chosen, read_manifest
from toolkit.data.splits.stratified_groups import deal_groups
from toolkit.data.splits.stratified_multilabel import iterative_stratification
from toolkit.errors import ExitCode, VtkError
from toolkit.section import Section
from toolkit.system.progress import step

if TYPE_CHECKING:
    from toolkit.data.sources.source import Source

__all__ = ["SplitSection", "held_out", "split_found", "stratified", "warn_of_copies"]

Indices = npt.NDArray[np.int64]
Say = Callable[[str], None]
_PARTS = ("train", "val", "test")


class SplitSection(Section):
    """What is held out of the training data, where the source has no such split of its own."""

    decides: ClassVar[Mapping[str, Sequence[str]]] = {"manifest": ("val", "test", "duplicates", "seed")}

    val: float = Field(0.2, ge=0, lt=1, description="Share for validation; with `folds` it is 1 / folds.")
    test: float = Field(0.0, ge=0, lt=1, description="Share for the final test.")
    folds: Annotated[int, Field(ge=2, le=1000)] | None = Field(
        None,
        description="Cross-validation: what is not held out for the test is cut into so many folds, of which one "
        "validates and the others train. One run for each fold.",
    )
    fold: int = Field(0, ge=0, le=999, description="With `folds`: the fold that validates, counted from 0.")
    group: GroupChoice | None = Field(
        None,
        description="What belongs together, and so into one split: a patient, a camera, a place. `folder` takes the "
        "name of the folder that a file lies in; else give a column or a pattern.",
    )
    duplicates: Duplicates = Field(
        "exact",
        description="Copies of a picture, which always stay together: `exact` are equal files, `near` also pictures "
        "that look the same (saved anew, scaled, slightly brighter); `near` looks at every picture first.",
    )
    seed: Seed | None = Field(None, description="Seeds the cut; by default the recipe's seed.")
    manifest: str | None = Field(
        None,
        description="The `split.json` of an earlier run, or that run's directory: the cut is made as it says. "
        "Of the other keys here none counts then; those that an extended recipe brings along are named by the run.",
    )

    @model_validator(mode="before")
    @classmethod
    def _share_of_a_fold(cls, given: Any) -> Any:
        if isinstance(given, dict) and isinstance(given.get("folds"), int) and given["folds"] > 1:
            return {"val": 1 / given["folds"], **given}
        return given

    @model_validator(mode="after")
    def _leaves_something(self) -> SplitSection:
        if self.folds is None and self.val + self.test >= 1:
            raise ValueError("val and test together leave nothing to train on")
        return self

    @model_validator(mode="after")
    def _folds_agree(self) -> SplitSection:
        if self.folds is None:
            if self.fold:
                raise ValueError("fold goes with folds")
            return self
        if self.fold >= self.folds:
            raise ValueError(f"of {self.folds} folds, counted from 0, there is no fold {self.fold}")
        if not math.isclose(self.val, 1 / self.folds, rel_tol=0.02):
            share = f"{1 / self.folds:.4g}"
            raise ValueError(f"each of {self.folds} folds is {share} of the data; set val to {share} or leave it out")
        return self

    @model_validator(mode="after")
    def _one_way_to_cut(self) -> SplitSection:
        if self.manifest is not None and (self.folds is not None or self.group is not None):
            raise ValueError("a manifest says all about the cut; leave out folds and group")
        return self

    @model_serializer(mode="wrap")
    def _what_counts(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A resolved recipe holds what counts, and can be read again as it is."""
        values: dict[str, Any] = written(self)
        without_effect = () if self.manifest is None else self.decides["manifest"]
        return {name: value for name, value in values.items() if name not in without_effect}


def split_found(
    found: Found,
    section: SplitSection,
    seed: int,
    *,
    source: Source | None = None,
    say: Say = lambda _line: None,
    compare: bool = True,
) -> Found:
    """Holds out what the source does not bring along, stratified by class or by labels.

    A share of zero holds nothing out. Each class keeps at least one training sample and, where it has enough, gives at
    least one to each held-out split. Targets of shape (n,) are classes, of shape (n, labels) sets of labels.

    Args:
        source: knows the columns that groups may be named by.
        say: is told what the cut cannot mend, such as copies of one picture in splits that the source brings along.
        compare: False reads nothing, so copies of one picture may be torn apart.

    Raises:
        VtkError: a class that cannot be in two splits, a group in two splits that the source brings along, or folds of
            a source that brings its own validation split.
    """
    if section.manifest is not None:
        return _as_before(found, section, section.manifest, say)
    shares = _shares(found, section)
    _require_apart(found, section, source)
    if compare:
        warn_of_copies(found, section.duplicates, say)
    if shares or section.folds is not None:
        index = found.train
        if index.targets is None:
            raise VtkError("the training data have no labels")
        partitions = [copies(index, section.duplicates) if compare else np.arange(len(index))]
        _warn_of_two_labels(index, partitions[0], say)
        if section.group is not None:
            partitions.append(union([group_names(index, section.group, source)]))
        groups = union(partitions)
        alone = _in_one_group(index, groups)
        if alone and section.group is None:
            raise _not_in_two_parts(index, alone, grouped=False)
        with step("cutting the splits", None, "samples"):
            chosen = _cut(index.targets, groups, shares, section, seed if section.seed is None else section.seed)
        if alone and not all(map(len, chosen.values())):
            raise _not_in_two_parts(index, alone, grouped=True)
        _require_all_parts(index, chosen, folds=section.folds)
        if alone:
            say(f"warning: all images of {listed(alone)} belong to one group, so only one split shows them")
        parts = {name: index.take(places) for name, places in chosen.items()}
        found = Found(parts["train"], parts.get("val", found.val), parts.get("test", found.test))
    return found


def _warn_of_two_labels(index: Index, copies_of: Indices, say: Say) -> None:
    """One picture under two classes teaches both; that is a fault of the data, or two classes that are one."""
    if index.targets is None or index.targets.ndim > 1:
        return
    torn = np.flatnonzero(index.targets != index.targets[copies_of])
    if len(torn):
        names, classes = index.keys, index.classes
        examples = [
            f"{names[i]} ({classes[index.targets[i]]}) = {names[copies_of[i]]} ({classes[index.targets[copies_of[i]]]})"
            for i in torn[:3].tolist()
        ]
        what = "1 image is a copy" if len(torn) == 1 else f"{len(torn):,} images are copies"
        say(f"warning: {what} of one under another class, so both are taught: {'; '.join(examples)}")


def held_out(found: Found, section: SplitSection) -> tuple[str, ...]:
    """The splits that the recipe cuts from what the source brings as training data; all where a manifest says so.

    Raises:
        VtkError: folds of a source that brings its own validation split.
    """
    if section.manifest is not None:
        return _PARTS
    cut = {*_shares(found, section), *(() if section.folds is None else ("val",))}
    return tuple(name for name in _PARTS if name in cut)


def _shares(found: Found, section: SplitSection) -> dict[str, float]:
    """The shares that are to be held out; that of a fold is not among them."""
    if section.folds is not None and found.val is not None:
        raise VtkError(
            "the source brings a validation part of its own, so there is nothing to cut into folds",
            place="data.split.folds",
            hint="leave folds out, or give the source without that part",
            code=ExitCode.RECIPE,
        )
    val = 0.0 if found.val or section.folds is not None else section.val
    shares = {"val": val, "test": 0.0 if found.test else section.test}
    return {name: share for name, share in shares.items() if share > 0}


def _cut(
    targets: npt.NDArray[Any], groups: Indices, shares: Mapping[str, float], section: SplitSection, seed: int
) -> dict[str, Indices]:
    """Positions of each split."""
    if section.folds is None:
        return _dealt(targets, groups, shares, seed)
    kept = _dealt(targets, groups, shares, seed) if shares else {"train": np.arange(len(targets))}
    rest = kept.pop("train")
    folds = _folds(targets[rest], groups[rest], section.folds, seed)
    val = rest[folds[section.fold]]
    return {"train": np.setdiff1d(rest, val), "val": val, **kept}


def _dealt(targets: npt.NDArray[Any], groups: Indices, shares: Mapping[str, float], seed: int) -> dict[str, Indices]:
    """The shares held out; without groups of several samples by the methods that do best then."""
    if len(np.unique(groups)) < len(groups):
        return deal_groups(targets, groups, {"train": 1 - sum(shares.values()), **shares}, seed)
    return stratified(targets, shares, seed) if targets.ndim == 1 else iterative_stratification(targets, shares, seed)


def _folds(targets: npt.NDArray[Any], groups: Indices, folds: int, seed: int) -> list[Indices]:
    """As many parts of one size; each sample is in one of them, whichever of them a run then takes."""
    equal = {str(fold): 1 / folds for fold in range(folds)}
    if targets.ndim == 2 and len(np.unique(groups)) == len(groups):
        others = dict(list(equal.items())[1:])
        return list(iterative_stratification(targets, others, seed).values())
    return list(deal_groups(targets, groups, equal, seed, always=None).values())


def stratified(
    targets: npt.NDArray[np.int64], shares: Mapping[str, float], seed: int
) -> dict[str, npt.NDArray[np.int64]]:
    """Positions of each split, ascending: the named shares of each class, and the rest as ``train``.

    Args:
        targets: class of each sample, shape (n,).
        shares: split → share of each class, in (0, 1), together below 1.
        seed: equal seeds and targets give equal splits.
    """
    parts: dict[str, list[npt.NDArray[np.int64]]] = {"train": [], **{name: [] for name in shares}}
    labels, starts = np.unique(np.sort(targets), return_index=True)
    for label, members in zip(labels, np.split(np.argsort(targets, kind="stable"), starts[1:]), strict=True):
        members = members[np.random.default_rng([seed, int(label)]).permutation(len(members))]
        for name, count in _counts(len(members), shares).items():
            parts[name].append(members[:count])
            members = members[count:]
        parts["train"].append(members)
    return {name: np.sort(np.concatenate(chosen)) for name, chosen in parts.items()}


def _counts(size: int, shares: Mapping[str, float]) -> dict[str, int]:
    """How many of ``size`` samples each split gets: rounded, one at least while one is left for training."""
    left, counts = size - 1, {}
    for still_to_serve, (name, share) in zip(range(len(shares) - 1, -1, -1), shares.items(), strict=True):
        wanted = max(1, round(share * size))
        counts[name] = max(min(left, 1), min(left - still_to_serve, wanted))
        left -= counts[name]
    return counts


def _as_before(found: Found, section: SplitSection, manifest: str, say: Say) -> Found:
    overruled = [f"data.split.{key}" for key in section.decides["manifest"] if key in section.model_fields_set]
    if overruled:
        does = "does" if len(overruled) == 1 else "do"
        say(f"note: {manifest} decides the split; {', '.join(overruled)} {does} not count")
    cut = apply_manifest(found, of_chosen(read_manifest(manifest), found))
    available, used = (sum(len(i) for i in (f.train, f.val, f.test) if i is not None) for f in (found, cut))
    if used < available:
        say(f"note: {manifest} does not name {available - used:,} of {available:,} images; they are left out")
    return cut


def _require_apart(found: Found, section: SplitSection, source: Source | None) -> None:
    """Groups must not be in two of the splits that the source itself brings along."""
    given = {name: index for name in _PARTS if (index := getattr(found, name)) is not None}
    if section.group is None or len(given) < 2:
        return
    group = section.group
    torn = groups_in_several_parts({name: group_names(index, group, source) for name, index in given.items()})
    if torn:
        examples = [f"{name} (in {' and '.join(parts)})" for name, parts in torn.items()]
        raise VtkError(
            f"{len(torn)} groups are in two parts that the source brings along: {listed(examples)}",
            place="data.split.group",
            hint="move each group into one part, or give the source without parts so that they are cut here",
        )


def _in_one_group(index: Index, groups: Indices) -> list[str]:
    """The classes whose samples all belong together, so that no two splits can show them."""
    if index.targets is None or index.targets.ndim > 1:
        return []
    size = int(groups.max(initial=0)) + 1
    held = np.unique(index.targets * size + groups) // size
    counts = np.bincount(held, minlength=len(index.classes))
    return [name for name, groups_of in zip(index.classes, counts, strict=True) if groups_of == 1]


def _not_in_two_parts(index: Index, alone: Sequence[str], *, grouped: bool) -> VtkError:
    sizes = np.bincount(index.targets, minlength=len(index.classes))  # type: ignore[arg-type]
    if all(sizes[index.classes.index(name)] == 1 for name in alone):
        what = "with one picture"
    else:
        what = "whose pictures all belong together (one group)" if grouped else "whose pictures are all copies of one"
    return VtkError(
        f"a class {what} cannot be split into training and validation: {listed(alone)}",
        place=str(index.root) if isinstance(index, ImageFiles) else None,
        hint="add pictures of it, leave it out, or set data.split.val to 0",
    )


def _require_all_parts(index: Index, chosen: Mapping[str, Indices], *, folds: int | None) -> None:
    """No split may be empty, and training has to have every class."""
    empty = [name for name, places in chosen.items() if not len(places)]
    if empty:
        raise VtkError(
            f"{len(index)} images are too few to be split, or too few groups: nothing is left for {listed(empty)}",
            hint="add images, or set data.split.val and data.split.test to 0"
            if folds is None
            else f"add images, or set data.split.folds to less than {folds}",
        )
    if index.targets is None or index.targets.ndim > 1:
        return
    missing = np.setdiff1d(index.targets, index.targets[chosen["train"]])
    if len(missing):
        raise VtkError(
            f"no training sample would be left of {listed([index.classes[i] for i in missing])}",
            hint="take fewer folds, another data.split.seed, or add groups of these classes",
        )


def warn_of_copies(found: Found, duplicates: Duplicates, say: Say) -> None:
    """Copies in splits that the source brings along cannot be moved, but they must be known."""
    given = {name: index for name in _PARTS if isinstance(index := getattr(found, name), ImageFiles)}
    if len(given) < 2:
        return
    everything = concatenated([replace(index, targets=None) for index in given.values()])
    assert isinstance(everything, ImageFiles)
    labels = copies(everything, duplicates)
    part = np.repeat(np.arange(len(given)), [len(index) for index in given.values()])
    doubles = np.flatnonzero(part[labels] != part)
    if len(doubles):
        names = list(given)
        files = everything.locations
        examples = [f"{files[i]} ({names[part[i]]}) = {files[labels[i]]}" for i in doubles[:3].tolist()]
        say(
            f"warning: {len(doubles):,} images are copies of images in another part, as the source brings them along: "
            f"{', '.join(examples)}. Figures on them say too much; `vtk check` lists them."
        )
