"""Cutting labelled samples into training, validation and test parts, once; a manifest keeps the cut."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from toolkit.data.sources.index import Found, ImageArrays, ImageFiles
from toolkit.data.sources.missing import listed
from toolkit.errors import ExitCode, VtkError
from toolkit.recipe.section import Section

__all__ = ["SplitSection", "apply_manifest", "manifest_of", "read_manifest", "split_found", "write_manifest"]

_VERSION = 1


class SplitSection(Section):
    """Shares that are held out of the training data, where the source has no such split of its own."""

    val: float = Field(0.2, ge=0, lt=1, description="Share for validation.")
    test: float = Field(0.0, ge=0, lt=1, description="Share for the final test.")
    seed: int | None = Field(None, ge=0, description="Seeds the cut; by default the recipe's seed.")

    @model_validator(mode="after")
    def _leaves_something(self) -> SplitSection:
        if self.val + self.test >= 1:
            raise ValueError("val and test together leave nothing to train on")
        return self


def split_found(found: Found, section: SplitSection, seed: int) -> Found:
    """Holds out what the source does not bring along, stratified by class.

    A share of zero holds nothing out. Each class keeps at least one training sample and, where it has enough, gives at
    least one to each held-out part.

    Raises:
        VtkError: a class has a single sample, so that it could not be in two parts.
    """
    shares = {"val": 0.0 if found.val else section.val, "test": 0.0 if found.test else section.test}
    shares = {name: share for name, share in shares.items() if share > 0}
    if not shares:
        return found
    if found.train.targets is None:
        raise VtkError("the training data have no labels")
    _require_pairs(found.train)
    parts = stratified(found.train.targets, shares, seed if section.seed is None else section.seed)
    taken = {name: found.train.take(chosen) for name, chosen in parts.items()}
    return Found(taken["train"], taken.get("val", found.val), taken.get("test", found.test))


def stratified(
    targets: npt.NDArray[np.int64], shares: Mapping[str, float], seed: int
) -> dict[str, npt.NDArray[np.int64]]:
    """Positions of each part, ascending: the named shares of each class, and the rest as ``train``.

    Args:
        targets: class of each sample, shape (n,).
        shares: part → share of each class, in (0, 1), together below 1.
        seed: equal seeds and targets give equal parts.
    """
    parts: dict[str, list[npt.NDArray[np.int64]]] = {"train": [], **{name: [] for name in shares}}
    for label in np.unique(targets):
        members = np.flatnonzero(targets == label)
        members = members[np.random.default_rng([seed, int(label)]).permutation(len(members))]
        for name, count in _counts(len(members), shares).items():
            parts[name].append(members[:count])
            members = members[count:]
        parts["train"].append(members)
    return {name: np.sort(np.concatenate(chosen)) for name, chosen in parts.items()}


def _counts(size: int, shares: Mapping[str, float]) -> dict[str, int]:
    """How many of ``size`` samples each part gets: rounded, one at least while one is left for training."""
    left, counts = size - 1, {}
    for still_to_serve, (name, share) in zip(range(len(shares) - 1, -1, -1), shares.items(), strict=True):
        wanted = max(1, round(share * size))
        counts[name] = max(min(left, 1), min(left - still_to_serve, wanted))
        left -= counts[name]
    return counts


def _require_pairs(index: ImageFiles | ImageArrays) -> None:
    sizes = np.bincount(index.targets if index.targets is not None else [], minlength=len(index.classes))
    single = [name for name, size in zip(index.classes, sizes, strict=True) if size == 1]
    if single:
        raise VtkError(
            f"a class with one picture cannot be split into training and validation: {listed(single)}",
            place=str(index.root) if isinstance(index, ImageFiles) else None,
            hint="add pictures of it, leave it out, or set data.split.val to 0",
        )


def manifest_of(found: Found, seed: int) -> dict[str, Any]:
    """The cut as JSON: which sample is in which part, by path (files) or position (arrays)."""
    parts = {"train": found.train, "val": found.val, "test": found.test}
    return {
        "version": _VERSION,
        "seed": seed,
        "classes": list(found.train.classes),
        "samples": {name: index.keys for name, index in parts.items() if index is not None},
    }


def write_manifest(path: str | os.PathLike[str], manifest: Mapping[str, Any]) -> None:
    """Writes it as JSON, whole or not at all."""
    final = Path(path)
    partial = final.with_name(f".{final.name}.{os.getpid()}")
    try:
        partial.write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        os.replace(partial, final)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise VtkError(f"cannot be written: {error.strerror}", place=str(final), code=ExitCode.IO) from error


def read_manifest(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What :func:`write_manifest` wrote."""
    try:
        manifest = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise VtkError("there is no such manifest", place=str(path), code=ExitCode.NO_INPUT) from None
    except (OSError, ValueError) as error:
        raise VtkError(f"not a split manifest: {error}", place=str(path)) from error
    if not isinstance(manifest, dict) or manifest.get("version") != _VERSION or "samples" not in manifest:
        raise VtkError(f"not a split manifest of version {_VERSION}", place=str(path))
    return manifest


def apply_manifest(found: Found, manifest: Mapping[str, Any]) -> Found:
    """The cut of an earlier run, over the same data found again; samples that were added since are left out.

    Raises:
        VtkError: a sample of the manifest is not there any more, or the classes are others.
    """
    classes = tuple(manifest["classes"])
    available = [index for index in (found.train, found.val, found.test) if index is not None]
    where = {key: (index, i) for index in available for i, key in enumerate(index.keys)}
    return Found(**{name: _gather(where, keys, classes, name) for name, keys in manifest["samples"].items()})


def _gather(where: Mapping[str, tuple[Any, int]], keys: Sequence[str], classes: tuple[str, ...], part: str) -> Any:
    gone = [key for key in keys if key not in where]
    if gone:
        raise VtkError(
            f"{len(gone)} of {len(keys)} samples of the {part} split are not there any more: {listed(gone)}",
            hint="bring them back, or train anew on the data as they are",
            code=ExitCode.NO_INPUT,
        )
    if not keys:
        return None
    index = where[keys[0]][0]
    if index.classes != classes:
        raise VtkError(f"the classes are {listed(index.classes)}; the run was trained on {listed(classes)}")
    return index.take([where[key][1] for key in keys])
