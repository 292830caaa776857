"""What every source gives: the samples of each split by name, not yet read, with one map of classes."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from toolkit.data.sources.missing import listed
from toolkit.errors import ExitCode, VtkError
from toolkit.recipe.section import Section

if TYPE_CHECKING:
    from toolkit.data.report.survey import Survey

__all__ = ["Found", "ImageArrays", "ImageFiles", "Source", "class_map", "natural_key"]

Targets = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ImageFiles:
    """Pictures in files.

    Args:
        root: the folder that ``paths`` start from.
        paths: POSIX paths relative to ``root`` (absolute where a CSV says so), one for each sample.
        targets: positions in ``classes``, int64, shape (n,); None where the pictures have no labels.
        classes: names, in the order of the model's outputs.
        ignored: files that were passed over, each with the reason.
        names: what names each sample in a split's manifest; by default its path.
    """

    root: Path
    paths: tuple[str, ...]
    targets: Targets | None = None
    classes: tuple[str, ...] = ()
    ignored: tuple[tuple[str, str], ...] = ()
    names: tuple[str, ...] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def keys(self) -> list[str]:
        """What names a sample in a split's manifest."""
        return list(self.paths if self.names is None else self.names)

    @property
    def files(self) -> list[Path]:
        """The paths to open."""
        return [self.root / path for path in self.paths]

    def take(self, indices: Sequence[int] | npt.NDArray[np.int64]) -> Self:
        """The named samples, in that order."""
        targets = None if self.targets is None else self.targets[np.asarray(indices, dtype=np.int64)]
        paths, names = _picked(self.paths, indices), None if self.names is None else _picked(self.names, indices)
        return replace(self, paths=paths, targets=targets, ignored=(), names=names)


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
    def keys(self) -> list[str]:
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
    """What a source found: the splits that it comes with, None where it leaves splitting to the recipe."""

    train: Index
    val: Index | None = None
    test: Index | None = None

    @classmethod
    def aligned(cls, train: Index, val: Index | None = None, test: Index | None = None) -> Found:
        """Splits under the training split's class map: classes are matched by name, whatever their order.

        Raises:
            VtkError: fewer than two classes, or a class in a later split that training has not.
        """
        _require_two_classes(train)
        return cls(train, _align(val, train.classes, "val"), _align(test, train.classes, "test"))


def concatenated(parts: Sequence[Index]) -> Index:
    """Parts under one class map, one after another; each sample keeps its key.

    Raises:
        VtkError: images in memory beside files or of another size, or labels in some parts only.
    """
    first, keys = parts[0], tuple(key for part in parts for key in part.keys)
    shapes = {part.images.shape[1:] if isinstance(part, ImageArrays) else None for part in parts}
    labels = [part.targets for part in parts if part.targets is not None]
    if len(shapes) > 1 or len(labels) not in (0, len(parts)):
        raise VtkError("the parts that the source brings differ in kind, so samples cannot move from one to another")
    targets = np.concatenate(labels) if labels else None
    if isinstance(first, ImageArrays):
        images = np.concatenate([part.images for part in parts if isinstance(part, ImageArrays)])
        return replace(first, images=images, targets=targets, names=keys)
    files = [part for part in parts if isinstance(part, ImageFiles)]
    if all(part.root == first.root for part in files):
        paths = tuple(path for part in files for path in part.paths)
        return replace(first, paths=paths, targets=targets, ignored=(), names=None if paths == keys else keys)
    paths = tuple(str(file) for part in files for file in part.files)
    return replace(first, root=Path(), paths=paths, targets=targets, ignored=(), names=keys)


def joined(parts: Sequence[Index], classes: Sequence[str]) -> Index:
    """The labelled samples of several parts as one, under a class map that is given; classes are matched by name.

    Raises:
        VtkError: a class that is not in the map.
    """
    aligned = [
        part for part in (_align(p, tuple(classes), "given") for p in parts) if part and part.targets is not None
    ]
    targets = np.concatenate([part.targets for part in aligned])
    arrays = [part for part in aligned if isinstance(part, ImageArrays)]
    if arrays:
        images = np.concatenate([part.images for part in arrays])
        return ImageArrays(images, targets, tuple(classes))
    files = [str(file) for part in aligned if isinstance(part, ImageFiles) for file in part.files]
    return ImageFiles(Path(), tuple(files), targets, tuple(classes))


class Source(Section):
    """The base of every source's section."""

    @abstractmethod
    def load(self) -> Found:
        """Finds the samples. Raises ``VtkError`` for missing, empty or contradictory data."""

    def load_listed(self) -> Found:
        """:meth:`load`, but a file that a table names and that is not there is no error; who reads it is told."""
        return self.load()

    def survey(self) -> Survey:
        """What ``vtk check`` reads: :meth:`load`, but with faults listed where they need not stop the listing."""
        from toolkit.data.report.survey import survey_of

        return survey_of(self.load(), self.place)

    @property
    def place(self) -> str:
        """Where the data are, for people."""
        return str(getattr(self, "root", None) or getattr(self, "file", None) or getattr(self, "name", "the source"))

    def column(self, name: str) -> Mapping[str, str]:
        """The values of a column of the source's table, by the samples' paths.

        Raises:
            VtkError: there is no table, no such column, or a sample without a value.
        """
        raise VtkError(
            f"there is no column {name!r}: this source has no table",
            place="data.split.group.column",
            hint="give a pattern for the paths instead, or `group: folder`",
            code=ExitCode.RECIPE,
        )

    def downloads(self) -> list[str]:
        """What :meth:`load` would fetch over the network now, one line each."""
        return []


def class_map(labels: Sequence[str]) -> tuple[Targets, tuple[str, ...]]:
    """Targets and class names of one label a sample; names in natural order, so that 10 follows 9."""
    classes = tuple(sorted(set(labels), key=natural_key))
    position = {name: i for i, name in enumerate(classes)}
    return np.fromiter((position[label] for label in labels), np.int64, len(labels)), classes


def natural_key(text: str) -> tuple[Any, ...]:
    """Sorts digits as numbers."""
    parts = re.split(r"(\d+)", text)
    return tuple((int(part), part) if i % 2 else (part, part) for i, part in enumerate(parts))


def _require_two_classes(index: Index) -> None:
    if len(index.classes) < 2:
        place = str(index.root) if isinstance(index, ImageFiles) else None
        raise VtkError(f"there is only one class, {index.classes[0]!r}; telling classes apart takes two", place=place)


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
