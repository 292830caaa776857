"""Which classes of a source take part, and in which order: the recipe's ``data.classes``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.data.multi_hot import MultiHot
from toolkit.data.sources.index import Found, ImageFiles, Index
from toolkit.data.sources.missing import listed
from toolkit.errors import ExitCode, VtkError, suggest

if TYPE_CHECKING:
    from toolkit.labelled_images.data_sections import ImageData
    from toolkit.types.survey import SurveyPart

__all__ = ["KEY", "LEFT_ASIDE", "chosen", "chosen_part", "load_chosen", "told_aside"]

KEY = "data.classes"
"""The recipe's key."""

LEFT_ASIDE = "left aside by data.classes"
"""What ``vtk check`` calls the samples of other classes."""

_SHOWN = 8
_PARTS = ("train", "val", "test")


def load_chosen(
    data: ImageData,
    *,
    place_of: Callable[[str], str | None] = lambda _key: None,
    listed_only: bool = False,
    require_all: bool = True,
) -> Found:
    """What the recipe's source holds of the classes that the recipe chooses; all of it where it chooses none.

    Args:
        data: has a ``source``.
        place_of: where a key of the recipe was written, for errors.
        listed_only: as :meth:`toolkit.data.sources.Source.load_listed`.
        require_all: False where a trained model meets other data, which need not show every class.

    Raises:
        VtkError: as the source does; or it has no class of a name that the recipe chooses.
    """
    source: Any = data.source  # type: ignore[attr-defined]
    found: Found = source.load_listed() if listed_only else source.load()
    if data.classes is None:
        return found
    if require_all:
        _require_known(found, data.classes, place_of)
    return chosen(found, data.classes)


def chosen(found: Found, classes: Sequence[str]) -> Found:
    """The samples of the named classes, under a class map in that order.

    A sample of one class that is not among them is left aside. One with several labels stays with those of them that
    are among them, or with none: it is an example of their absence. ``aside`` counts, for each class that is not among
    them, the samples that had it.
    """
    parts = {name: index for name in _PARTS if (index := getattr(found, name)) is not None}
    named = frozenset(classes)
    counts: dict[str, int] = {}
    for index in parts.values():
        for name, count in zip(index.classes, _counts(index), strict=True):
            if count and name not in named:
                counts[name] = counts.get(name, 0) + count
    kept = {name: _part(index, tuple(classes)) for name, index in parts.items()}
    return Found(**{name: index for name, index in kept.items() if len(index) or name == "train"}).leaving(counts)


def _counts(index: Index) -> list[int]:
    targets: Any = index.targets
    if targets is None:
        return [0] * len(index.classes)
    if targets.ndim == 1:
        targets = np.bincount(targets, minlength=len(index.classes))
        return [int(count) for count in targets]
    return [int(count) for count in targets.sum(axis=0)]


def _part(index: Index, classes: tuple[str, ...]) -> Index:
    if index.targets is None or index.classes == classes:
        return index
    position = {name: place for place, name in enumerate(classes)}
    positions = np.array([position.get(name, -1) for name in index.classes], np.int64)
    if index.targets.ndim > 1:
        targets: Any = MultiHot.of(index.targets).renumbered(positions, len(classes))
        return replace(index, targets=targets, classes=classes)
    targets = positions[index.targets]
    kept = replace(index, targets=targets, classes=classes).take(np.flatnonzero(targets >= 0))
    return replace(kept, ignored=index.ignored) if isinstance(kept, ImageFiles) else kept  # type: ignore[union-attr]


def _require_known(found: Found, classes: Sequence[str], place_of: Callable[[str], str | None]) -> None:
    parts = [index for name in _PARTS if (index := getattr(found, name)) is not None]
    known = dict.fromkeys(name for index in parts for name in index.classes)
    for place, name in enumerate(classes):
        if name not in known:
            meant = suggest(name, known)
            raise VtkError(
                f"{KEY}.{place}: the data have no class {name!r}{meant and '; '}{meant}",
                place=place_of(f"{KEY}.{place}"),
                hint=f"the classes are {listed(list(known))}",
                code=ExitCode.RECIPE,
            )


def told_aside(aside: Mapping[str, int]) -> str:
    """How many images of which classes were left aside, in words; an image with several labels counts for each."""
    counts = [f"{name!r} ({count:,})" for name, count in aside.items()]
    more = f" and {len(counts) - _SHOWN:,} more" if len(counts) > _SHOWN else ""
    images = f"{sum(aside.values()):,} images of {len(aside):,} {'class' if len(aside) == 1 else 'classes'}"
    return f"{images} that {KEY} does not name are left aside: {', '.join(counts[:_SHOWN])}{more}"


def chosen_part(part: SurveyPart, classes: Sequence[str], *, several: bool) -> SurveyPart:
    """The same for a survey.

    Args:
        several: samples have any number of labels, so that one with none of those chosen stays.
    """
    named, had = frozenset(classes), frozenset(part.classes)
    kept = [tuple(label for label in labels if label in named) for labels in part.each()]
    places = [place for place, labels in enumerate(kept) if labels or several or part.labels is None]
    return replace(
        part,
        names=[part.names[place] for place in places],
        labels=None if part.labels is None else [kept[place] for place in places],
        classes=[name for name in classes if name in had],
        files=None if part.files is None else [part.files[place] for place in places],
        images=None if part.images is None else part.images[places],
    )
