"""The manifest of a cut: which sample is in which split, so that later commands and other runs keep to it."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import compress, islice
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.data.sources.index import Found, ImageFiles, Index, concatenated
from toolkit.data.sources.missing import listed
from toolkit.errors import ExitCode, VtkError
from toolkit.system.disk_errors import input_error
from toolkit.system.files import open_new, read_limited, whole_file
from toolkit.system.progress import Step, step

__all__ = ["MANIFEST", "apply_manifest", "manifest_of", "of_chosen", "read_manifest", "write_cut", "write_manifest"]

MANIFEST = "split.json"
"""Its name in a run's directory."""

_VERSION = 1
_LARGEST = 4 << 30
_AT_ONCE = 4096
_PARTS = ("train", "val", "test")


def manifest_of(found: Found, seed: int) -> dict[str, Any]:
    """The cut as JSON: which sample is in which split, by path (files) or position (arrays).

    The labels, positions in ``classes``, are those of files that are gone later.
    """
    cut = _cut(found, seed)
    for part in ("samples", "labels"):
        cut[part] = {name: list(values) for name, values in cut[part].items()}
    return cut


def _cut(found: Found, seed: int) -> dict[str, Any]:
    """The manifest, its long lists made as they are gone through."""
    parts = {"train": found.train, "val": found.val, "test": found.test}
    return {
        "version": _VERSION,
        "seed": seed,
        "classes": list(found.train.classes),
        "samples": {name: index.keys for name, index in parts.items() if index is not None},
        "labels": {
            name: _labels(index.targets)
            for name, index in parts.items()
            if isinstance(index, ImageFiles) and index.targets is not None
        },
    }


def _labels(targets: Any) -> Iterator[Any]:
    for row in targets:
        yield np.flatnonzero(row).tolist() if targets.ndim > 1 else int(row)


def write_cut(path: str | os.PathLike[str], found: Found, seed: int) -> None:
    """Writes :func:`manifest_of` a cut without holding all of it at once. Raises as :func:`write_manifest` does."""
    write_manifest(path, _cut(found, seed))


def write_manifest(path: str | os.PathLike[str], manifest: Mapping[str, Any]) -> None:
    """Writes it as JSON, whole or not at all.

    Raises:
        VtkError: it has a sample twice, so that nobody could read it again, or it cannot be written.
    """
    total = sum(len(keys) for keys in manifest["samples"].values())
    with step("writing down the splits", total, "samples") as writing:
        _require_once(manifest["samples"], None)
        with whole_file(Path(path)) as temporary, open_new(temporary) as stream:
            stream.writelines(piece.encode() for piece in _as_json(manifest, writing))


def _as_json(manifest: Mapping[str, Any], writing: Step) -> Iterator[str]:
    """The text in pieces, a sample a line."""
    short = {key: value for key, value in manifest.items() if key not in ("samples", "labels")}
    yield json.dumps(short, indent=1).removesuffix("\n}")
    for part in ("samples", "labels"):
        yield f',\n "{part}": {{'
        for number, (name, values) in enumerate(manifest.get(part, {}).items()):
            yield f'{"," if number else ""}\n  "{name}": ['
            for place, some in enumerate(_batched(values)):
                lines = json.dumps(some, separators=(",\n   ", ": "))  # without indent it is compiled code that writes
                yield ("," if place else "") + "\n   " + lines[1:-1]
                writing.more(len(some) if part == "samples" else 0)
            yield "]"
        yield "}"
    yield "\n}\n"


def _batched(values: Iterable[Any]) -> Iterator[list[Any]]:
    rest = iter(values)
    while some := list(islice(rest, _AT_ONCE)):
        yield some


def read_manifest(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What :func:`write_manifest` wrote; of a run, where ``path`` is its directory.

    Raises:
        VtkError: there is none, it is something else, or it has a sample twice.
    """
    if os.path.isdir(path):
        path = Path(path, MANIFEST)
    try:
        manifest = json.loads(read_limited(Path(path), _LARGEST))
    except FileNotFoundError:
        raise VtkError("there is no such manifest", place=str(path), code=ExitCode.NO_INPUT) from None
    except OSError as error:
        raise input_error(path, error) from error
    except (ValueError, RecursionError) as error:
        raise VtkError(f"not a split manifest: {error}", place=str(path)) from error
    if not _is_manifest(manifest):
        raise VtkError(f"not a split manifest of version {_VERSION}", place=str(path))
    _require_once(manifest["samples"], path)
    return dict(manifest)


def _is_manifest(manifest: Any) -> bool:
    if not isinstance(manifest, dict) or manifest.get("version") != _VERSION:
        return False
    samples, classes = manifest.get("samples"), manifest.get("classes")
    lists = [classes, *samples.values()] if isinstance(samples, dict) and set(samples) <= set(_PARTS) else [None]
    return all(isinstance(one, list) and all(isinstance(name, str) for name in one) for one in lists) and (
        _fit(manifest.get("labels", {}), samples)
    )


def _fit(labels: Any, samples: Any) -> bool:
    """Whether there is a label for each sample, or none for a whole split."""
    if not isinstance(labels, dict):
        return False
    return all(isinstance(found, list) and len(found) == len(samples.get(part, ())) for part, found in labels.items())


def _require_once(samples: Mapping[str, Sequence[str]], path: str | os.PathLike[str] | None) -> None:
    """``path``: where it was read, None while it is written."""
    place = None if path is None else str(path)
    hint = "each sample needs a name of its own in the source, and a place in one part" if path is None else None
    if not samples.get("train"):
        raise VtkError("there are no training samples", place=place)
    count = sum(map(len, samples.values()))
    hashes = np.fromiter((hash(key) for keys in samples.values() for key in keys), np.int64, count)
    if len(np.unique(hashes)) == count:
        return
    part_of: dict[str, str] = {}
    for part, keys in samples.items():
        for key in keys:
            if key in part_of:
                raise VtkError(f"{key} is in {part_of[key]} and in {part}", place=place, hint=hint)
            part_of[key] = part


def of_chosen(manifest: Mapping[str, Any], found: Found) -> Mapping[str, Any]:
    """The same cut of the classes that the recipe chooses among those that the manifest was made for.

    Other differences of classes stay, to be refused by :func:`apply_manifest`.
    """
    had, now = manifest["classes"], found.train.classes
    if tuple(had) == now or not set(now) <= set(had) or (len(now) < len(had) and not found.aside):
        return manifest
    names, labels = set(now), manifest.get("labels", {})
    there = {key for index in (found.train, found.val, found.test) if index is not None for key in index.keys}
    samples = {}
    for part, keys in manifest["samples"].items():
        if part in labels:  # those of one class are numbers; a sample with several labels stays
            kept = [isinstance(label, list) or had[label] in names for label in labels[part]]
        else:
            kept = [key in there for key in keys]
        samples[part] = list(compress(keys, kept))
    return {**manifest, "classes": list(now), "samples": samples, "labels": {}}


def apply_manifest(found: Found, manifest: Mapping[str, Any], *, may_miss: float = 0.0) -> Found:
    """The cut of an earlier run, over the same data found again; samples that were added since are left out.

    Args:
        may_miss: the share of a split's files, rounded up, that may be gone. They keep their place and their label, so
            that every other sample keeps its place in each epoch; whoever reads them is told that they are missing.

    Raises:
        VtkError: more samples of the manifest than that are not there any more, or the classes are others.
    """
    classes = tuple(manifest["classes"])
    available = [index for index in (found.train, found.val, found.test) if index is not None]
    where: dict[str, int] = {}
    for index in available:
        where |= zip(index.keys, range(len(where), len(where) + len(index)), strict=True)
    samples = manifest["samples"].items()
    for name, keys in samples:
        labels = dict(zip(keys, manifest.get("labels", {}).get(name, ()), strict=False))
        gone = [key for key in keys if key not in where]
        if gone and labels and isinstance(found.train, ImageFiles) and len(gone) <= math.ceil(may_miss * len(keys)):
            start = sum(map(len, available))
            where |= {key: start + i for i, key in enumerate(gone)}
            available.append(_missing(found.train, gone, [labels[key] for key in gone]))
    return Found(**{name: _gather(available, where, keys, classes, name) for name, keys in samples})


def _missing(index: ImageFiles, gone: Sequence[str], labels: Sequence[Any]) -> ImageFiles:
    """Files of an index that are not there, with their labels."""
    if index.targets is None:
        return replace(index, paths=gone, names=None, known_states=None)
    targets = np.zeros((len(gone), *index.targets.shape[1:]), index.targets.dtype)
    for place, label in enumerate(labels):
        if targets.ndim > 1:
            targets[place, label] = 1
        else:
            targets[place] = label
    return replace(index, paths=gone, targets=targets, names=None, known_states=None)


def _gather(
    available: Sequence[Index],
    where: Mapping[str, int],
    keys: Sequence[str],
    classes: tuple[str, ...],
    part: str,
) -> Any:
    """The samples of a split in the manifest's order, from whichever splits of the source they are in now."""
    gone = [key for key in keys if key not in where]
    if gone:
        raise VtkError(
            f"{len(gone)} of {len(keys)} samples of the {part} split are not there any more: {listed(gone)}",
            hint="bring them back, or train anew on the data as they are; with data.on_bad_image: skip a run goes on "
            "without a few files, up to data.bad_image_limit",
            code=ExitCode.NO_INPUT,
        )
    if not keys:
        return None
    places = np.fromiter((where[key] for key in keys), np.int64, len(keys))
    starts = np.cumsum([0, *map(len, available)])
    origin = np.searchsorted(starts, places, side="right") - 1
    place = places - starts[origin]
    used = np.unique(origin)
    pieces = [available[number].take(place[origin == number]) for number in used]
    for piece in pieces:
        if piece.classes != classes:
            raise VtkError(f"the classes are {listed(piece.classes)}; the split was made for {listed(classes)}")
    if len(pieces) == 1:
        return pieces[0]
    order = np.concatenate([np.flatnonzero(origin == number) for number in used])
    return concatenated(pieces).take(np.argsort(order))
