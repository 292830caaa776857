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
    """

    root: Path
    paths: tuple[str, ...]
    targets: Targets | None = None
    classes: tuple[str, ...] = ()
    ignored: tuple[tuple[str, str], ...] = ()

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def keys(self) -> list[str]:
        """What names a sample in a split's manifest."""
        return list(self.paths)

    @property
    def files(self) -> list[Path]:
        """The paths to open."""
        return [self.root / path for path in self.paths]

    def take(self, indices: Sequence[int] | npt.NDArray[np.int64]) -> Self:
        """The named samples, in that order."""
        targets = None if self.targets is None else self.targets[np.asarray(indices, dtype=np.int64)]
        return replace(self, paths=tuple(self.paths[int(i)] for i in indices), targets=targets, ignored=())


@dataclass(frozen=True)
class ImageArrays:
    """Pictures in memory.

    Args:
        images: uint8, shape (n, height, width) for grey or (n, height, width, channels).
        targets: positions in ``classes``, int64, shape (n,).
        classes: names, in the order of the model's outputs.
        part: which of the source's own splits the samples come from.
        positions: where each sample stood in that part; with ``part`` it names the sample in a split's manifest.
    """

    images: npt.NDArray[np.uint8]
    targets: Targets | None = None
    classes: tuple[str, ...] = ()
    part: str = "train"
    positions: npt.NDArray[np.int64] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def keys(self) -> list[str]:
        """What names a sample in a split's manifest."""
        return [f"{self.part}/{position}" for position in self._positions()]

    def take(self, indices: Sequence[int] | npt.NDArray[np.int64]) -> Self:
        """The named samples, in that order."""
        chosen = np.asarray(indices, dtype=np.int64)
        targets = None if self.targets is None else self.targets[chosen]
        return replace(self, images=self.images[chosen], targets=targets, positions=self._positions()[chosen])

    def _positions(self) -> npt.NDArray[np.int64]:
        return np.arange(len(self), dtype=np.int64) if self.positions is None else self.positions


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
