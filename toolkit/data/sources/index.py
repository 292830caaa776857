"""What every source gives: the samples of each split by name, not yet read, with one map of classes."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from toolkit.data.io.file_stats import States, file_states
from toolkit.data.io.path_table import Locations, Names
from toolkit.data.multi_hot import stacked
from toolkit.data.sources.missing import listed
from toolkit.errors import VtkError
from toolkit.system.progress import Step, step

__all__ = ["Found", "ImageArrays", "ImageFiles", "class_map", "natural_key"]

Targets = npt.NDArray[np.int64]
_AT_ONCE = 4096
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class ImageFiles:
    """Pictures in files.

    Args:
        root: the folder that ``paths`` start from.
        paths: POSIX paths relative to ``root`` (absolute where a CSV says so), one for each sample.
        targets: positions in ``classes``, int64, shape (n,), or sets of them, shape (n, classes), as an array or a
            :class:`~toolkit.data.multi_hot.MultiHot`; None where the pictures have no labels.
        classes: names, in the order of the model's outputs.
        ignored: files that were passed over, each with the reason.
        names: what names each sample in a split's manifest; by default its path.
        known_states: what :attr:`states` gives, where that is known already.
    """

    root: Path
    paths: Sequence[str]
    targets: Targets | None = None
    classes: tuple[str, ...] = ()
    ignored: tuple[tuple[str, str], ...] = ()
    names: Sequence[str] | None = field(default=None, repr=False)
    known_states: States | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "paths", Names.of(self.paths))
        if self.names is not None:
            object.__setattr__(self, "names", Names.of(self.names))

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def keys(self) -> Sequence[str]:
        """What names a sample in a split's manifest."""
        return self.paths if self.names is None else self.names

    @property
    def locations(self) -> Locations:
        """The paths to open, as strings that are made as they are asked for."""
        return Locations(self.root, Names.of(self.paths))

    @property
    def files(self) -> list[Path]:
        """The paths to open, all at once as objects; ``locations`` costs a tenth of it."""
        return [self.root / path for path in self.paths]

    @property
    def states(self) -> States:
        """Size, times of change and inode of each file, int64, shape (n, 4): asked for once, then remembered.

        Columns as in :func:`toolkit.data.io.file_stats.file_states`; -1 for a file that is not there.
        """
        if self.known_states is None:
            with step("looking at sizes", len(self)) as looking:
                found = np.concatenate(list(_states_in_portions(self.locations, looking)))
            object.__setattr__(self, "known_states", found)
        assert self.known_states is not None
        return self.known_states

    def take(self, indices: Sequence[int] | npt.NDArray[np.int64]) -> Self:
        """The named samples, in that order."""
        chosen = np.asarray(indices, dtype=np.int64)
        return replace(
            self,
            paths=Names.of(self.paths).take(chosen),
            targets=None if self.targets is None else self.targets[chosen],
            ignored=(),
            names=None if self.names is None else Names.of(self.names).take(chosen),
            known_states=None if self.known_states is None else self.known_states[chosen],
        )


def _states_in_portions(paths: Locations, looking: Step) -> Iterator[States]:
    for start in range(0, max(len(paths), 1), _AT_ONCE):
        some = paths[start : start + _AT_ONCE]
        yield file_states(some)
        looking.more(len(some))


@dataclass(frozen=True)
class ImageArrays:
    """Pictures in memory.

    Args:
        images: uint8, shape (n, height, width) for grey or (n, height, width, channels).
        targets: positions in ``classes``, int64, shape (n,).
        classes: names, in the order of the model's outputs.
        part: which of the source's own splits the samples come from.
        names: what names each sample in a split's manifest; by default ``part`` and its position there.
    """

    images: npt.NDArray[np.uint8]
    targets: Targets | None = None
    classes: tuple[str, ...] = ()
    part: str = "train"
    names: tuple[str, ...] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def keys(self) -> Sequence[str]:
        """What names a sample in a split's manifest."""
        return [f"{self.part}/{position}" for position in range(len(self))] if self.names is None else list(self.names)

    def take(self, indices: Sequence[int] | npt.NDArray[np.int64]) -> Self:
        """The named samples, in that order."""
        chosen = np.asarray(indices, dtype=np.int64)
        targets = None if self.targets is None else self.targets[chosen]
        return replace(self, images=self.images[chosen], targets=targets, names=_picked(self.keys, indices))


def _picked(values: Sequence[str], indices: Sequence[int] | npt.NDArray[np.int64]) -> tuple[str, ...]:
    return tuple(values[int(i)] for i in indices)


Index = ImageFiles | ImageArrays


@dataclass(frozen=True)
class Found:
    """What a source found: the splits that it comes with, None where it leaves splitting to the recipe.

    Attributes:
        aside: how many samples had each class that the recipe does not choose.
    """

    train: Index
    val: Index | None = None
    test: Index | None = None
    aside: Mapping[str, int] = field(default_factory=dict, init=False, compare=False)

    def leaving(self, aside: Mapping[str, int]) -> Found:
        """The same, with the samples of each class that were left aside on the way."""
        found = replace(self)
        object.__setattr__(found, "aside", aside)
        return found

    @classmethod
    def aligned(
        cls,
        train: Index,
        val: Index | None = None,
        test: Index | None = None,
        *,
        chosen: Collection[str] | None = None,
    ) -> Found:
        """Splits under the training split's class map: classes are matched by name, whatever their order.

        Args:
            chosen: the classes that count, None for all; others that training has not are put behind its own.

        Raises:
            VtkError: a class in a later split that training has not.
        """
        if chosen is not None:
            others = [name for part in (val, test) if part is not None for name in part.classes if name not in chosen]
            train = replace(train, classes=tuple(dict.fromkeys([*train.classes, *others])))
        return cls(train, _align(val, train.classes, "val"), _align(test, train.classes, "test"))


def concatenated(parts: Sequence[Index]) -> Index:
    """Parts under one class map, one after another; each sample keeps its key.

    Raises:
        VtkError: images in memory beside files or of another size, or labels in some parts only.
    """
    first, keys = parts[0], Names.joined([Names.of(part.keys) for part in parts])
    shapes = {part.images.shape[1:] if isinstance(part, ImageArrays) else None for part in parts}
    labels = [part.targets for part in parts if part.targets is not None]
    if len(shapes) > 1 or len(labels) not in (0, len(parts)):
        raise VtkError("the parts that the source brings differ in kind, so samples cannot move from one to another")
    targets = stacked(labels) if labels else None
    if isinstance(first, ImageArrays):
        images = np.concatenate([part.images for part in parts if isinstance(part, ImageArrays)])
        return replace(first, images=images, targets=targets, names=tuple(keys))
    files = [part for part in parts if isinstance(part, ImageFiles)]
    if all(part.root == first.root for part in files):
        paths, root, names = Names.joined([Names.of(part.paths) for part in files]), first.root, keys
        same = all(part.names is None for part in files)
    else:
        paths, root, names, same = Names(path for part in files for path in part.locations), Path(), keys, False
    return replace(
        first,
        root=root,
        paths=paths,
        targets=targets,
        ignored=(),
        names=None if same else names,
        known_states=_joined_states(files),
    )


def _joined_states(files: Sequence[ImageFiles]) -> States | None:
    """What is known already of all of them, or None."""
    states = [part.known_states for part in files if part.known_states is not None]
    return np.concatenate(states) if len(states) == len(files) else None


def joined(parts: Sequence[Index], classes: Sequence[str]) -> Index:
    """The labelled samples of several parts as one, under a class map that is given; classes are matched by name.

    Raises:
        VtkError: a class that is not in the map.
    """
    aligned = [
        part for part in (_align(p, tuple(classes), "given") for p in parts) if part and part.targets is not None
    ]
    targets = stacked([part.targets for part in aligned])
    arrays = [part for part in aligned if isinstance(part, ImageArrays)]
    if arrays:
        images = np.concatenate([part.images for part in arrays])
        return ImageArrays(images, targets, tuple(classes))
    files = [part for part in aligned if isinstance(part, ImageFiles)]
    paths = Names(path for part in files for path in part.locations)
    return ImageFiles(Path(), paths, targets, tuple(classes), known_states=_joined_states(files))


def class_map(labels: Sequence[str]) -> tuple[Targets, tuple[str, ...]]:
    """Targets and class names of one label a sample; names in natural order, so that 10 follows 9."""
    classes = tuple(sorted(set(labels), key=natural_key))
    position = {name: i for i, name in enumerate(classes)}
    return np.fromiter((position[label] for label in labels), np.int64, len(labels)), classes


def natural_key(text: str) -> str:
    """Sorts digits as numbers: by the text before them, their value, their spelling, and so on.

    Compares as the tuple of these parts would, and takes an eighth of its room. No part holds a NUL, so the shorter of
    two texts comes first; of two numbers without leading zeros the longer is the larger, then the later by its digits.
    """
    parts = _DIGITS.split(text)
    for place in range(1, len(parts), 2):
        value = str(int(parts[place]))
        parts[place] = f"{chr(len(value))}{value}{parts[place]}"
    return "\0".join(parts)


def require_two_classes(index: Index) -> None:
    """Training needs something to tell apart; evaluating a trained model does not.

    Raises:
        VtkError: one class for each sample, and always the same.
    """
    if index.targets is not None and index.targets.ndim == 1 and len(index.classes) < 2:
        place = str(index.root) if isinstance(index, ImageFiles) else None
        raise VtkError(
            f"there is only one class, {index.classes[0]!r}; telling classes apart takes two",
            place=place,
            hint=_classes_within(index),
        )


def _classes_within(index: Index) -> str | None:
    """Where all pictures of the one class folder lie in folders of its own, as in an archive that was unpacked."""
    if not isinstance(index, ImageFiles) or any(os.path.isabs(path) for path in index.paths[:1]):
        return None
    parts = [path.split("/") for path in index.paths]
    inside = sorted({part[1] for part in parts if len(part) > 2}, key=natural_key)
    if len(inside) < 2 or any(len(part) < 3 for part in parts):
        return None
    return f"it holds the folders {listed(inside)}; if those are the classes, the folder is {index.root / parts[0][0]}"


def _align(index: Index | None, classes: tuple[str, ...], split: str) -> Index | None:
    if index is None or index.targets is None or index.classes == classes:
        return index
    position = {name: i for i, name in enumerate(classes)}
    used = [index.classes[i] for i in np.unique(index.targets)]
    unknown = [name for name in used if name not in position]
    if unknown:
        raise VtkError(
            f"the {split} split has classes that the training split has not: {listed(unknown)}",
            place=str(index.root) if isinstance(index, ImageFiles) else None,
            hint=f"training knows {listed(classes)}",
        )
    renumbered = np.array([position.get(name, -1) for name in index.classes], dtype=np.int64)
    return replace(index, targets=renumbered[index.targets], classes=classes)
