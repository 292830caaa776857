"""What a data set claims to hold before any file is opened: names, labels and splits, in a form that knows no task."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from toolkit.data.report.fault import Fault
from toolkit.data.sources.index import Found, ImageArrays, ImageFiles, Source
from toolkit.errors import VtkError

if TYPE_CHECKING:
    from toolkit.data.sections import ImageData

__all__ = ["Survey", "SurveyKeys", "SurveyPart", "part_of", "survey_images", "survey_of"]

Pixels = npt.NDArray[np.uint8]
Index = ImageFiles | ImageArrays


@dataclass(frozen=True)
class SurveyPart:
    """One split.

    Args:
        names: how the report calls each sample, e.g. the path below the data set's folder.
        labels: the labels of each sample; none, one or several. None: the data have no labels, and nobody misses them.
        classes: every label that there is room for, whether a sample has it or not; by default those that one has.
        files: the file of each sample, or None where the pictures are in memory.
        images: the pictures in memory, uint8 (n, h, w) or (n, h, w, c), or None.

    Raises:
        ValueError: there are not as many labels, files or images as names.
    """

    names: Sequence[str]
    labels: Sequence[Sequence[str]] | None = None
    classes: Sequence[str] = ()
    files: Sequence[str | os.PathLike[str]] | None = None
    images: Pixels | None = None

    def __post_init__(self) -> None:
        for name in ("labels", "files", "images"):
            values = getattr(self, name)
            if values is not None and len(values) != len(self.names):
                raise ValueError(f"a SurveyPart has {len(self.names)} names, but {len(values)} {name}")
        if not self.classes:
            found = dict.fromkeys(label for labels in self.labels or () for label in labels)
            object.__setattr__(self, "classes", tuple(found))

    def __len__(self) -> int:
        return len(self.names)

    def each(self) -> list[tuple[str, ...]]:
        """The labels of each sample; none for any where the data have none."""
        return [()] * len(self) if self.labels is None else [tuple(labels) for labels in self.labels]


@dataclass(frozen=True)
class SurveyKeys:
    """A task's keys that a report may advise to set, e.g. ``data.image_size``; None where the task has none.

    Args:
        duplicates: keeps copies in one split if set to ``exact`` or ``near``.
        input_side: side of the model's input in pixels.
        grey: makes all pictures grey if it is true.
        sampler: draws rare classes more often.
    """

    duplicates: str | None = None
    input_side: str | None = None
    grey: str | None = None
    sampler: str | None = None


@dataclass(frozen=True)
class Survey:
    """What a task hands over for ``vtk check`` to read: the answer of ``vtk_survey``.

    Args:
        place: where the data are, for people.
        parts: split → samples. ``train`` alone: the data are not split.
        faults: what is wrong with the listing itself, e.g. files that belong to no class.
        cut: the recipe makes splits that are not the data set's own.
        fixed: the splits that are the data set's own all the same, so that no key keeps copies out of them.
        keys: the recipe's keys that the report may advise to set.
        seen: the training sample at a position as it enters the model, uint8 (h, w, c), augmented, before it is
            normalised; or None.
        input_side: shorter side of the model's input in pixels, or None.
    """

    place: str
    parts: Mapping[str, SurveyPart]
    faults: Sequence[Fault] = ()
    cut: bool = False
    fixed: Collection[str] = ()
    keys: SurveyKeys = SurveyKeys()
    seen: Callable[[int], Pixels] | None = field(default=None, repr=False)
    input_side: int | None = None

    @property
    def labelled(self) -> bool:
        """Whether the data have labels, or are meant to."""
        return any(part.labels is not None for part in self.parts.values())


def survey_of(found: Found, place: str, faults: Sequence[Fault] = ()) -> Survey:
    """What a source found, as it is."""
    parts = {"train": found.train, "val": found.val, "test": found.test}
    return Survey(place, {name: part_of(index) for name, index in parts.items() if index is not None}, faults)


def part_of(index: Index) -> SurveyPart:
    """One split of a source. Targets are class numbers, shape (n,), or multi-hot, shape (n, classes)."""
    labels: list[tuple[str, ...]] = [()] * len(index)
    if index.targets is not None and index.targets.ndim == 1:
        alone = [(name,) for name in index.classes]
        labels = [alone[target] for target in index.targets.tolist()]
    elif index.targets is not None:
        labels = [tuple(index.classes[place] for place in np.flatnonzero(row)) for row in index.targets]
    if isinstance(index, ImageArrays):
        return SurveyPart(index.keys, labels, index.classes, images=index.images)
    return SurveyPart(index.keys, labels, index.classes, files=index.locations)


def survey_images(recipe: Any, cut: Callable[[Any, Found], Found]) -> Survey:
    """The survey of a task on labelled images: ``recipe.data`` is an :class:`ImageData` with a ``source``.

    Args:
        recipe: the task's.
        cut: ``cut(recipe, found)`` splits what a source found as a run does; asked where the recipe holds out what
            the source has no split for, with ``data.limit`` lifted.

    Raises:
        VtkError: the data are missing, not yet downloaded, or described in a way that cannot be read.
    """
    source: Source = recipe.data.source
    wanted = source.downloads()
    if wanted:
        raise VtkError(
            f"the data are not here yet: {'; '.join(wanted)}",
            hint="run the recipe once, or check it on data that need no download: add --demo",
        )
    survey = source.survey()
    survey = _as_cut(survey, recipe, cut)
    seen = training_view(recipe.data, recipe.model, recipe.seed, survey.parts["train"]) if survey.parts else None
    return replace(survey, seen=seen, input_side=recipe.data.image_size, keys=_keys(recipe.data, survey))


def _keys(data: ImageData, survey: Survey) -> SurveyKeys:
    """Where the splits are the data set's own, or a manifest's, no key changes which copies are in which."""
    cuts = survey.cut and data.split.manifest is None
    return SurveyKeys(
        duplicates="data.split.duplicates" if cuts else None,
        input_side="data.image_size",
        grey="data.grey",
        sampler="data.sampler" if "sampler" in type(data).model_fields else None,
    )


def _as_cut(survey: Survey, recipe: Any, cut: Callable[[Any, Found], Found]) -> Survey:
    """Split as a run would split it, where it would. Data that no run would take stay as they are; ``vtk check`` says
    why.
    """
    from toolkit.data.splits import held_out

    everything = recipe.model_copy(update={"data": recipe.data.model_copy(update={"limit": None})})
    try:
        found = recipe.data.source.load()
        made = held_out(found, recipe.data.split)
        if not made:
            return survey
        found = cut(everything, found)
    except VtkError:
        return survey
    cut_survey = survey_of(found, survey.place, survey.faults)
    fixed = set(cut_survey.parts) - {"train", *made}
    return replace(cut_survey, cut=True, fixed=fixed)


def training_view(data: ImageData, model: Any, seed: int, part: SurveyPart) -> Callable[[int], Pixels]:
    """``view(i)``: sample ``i`` of the part as the first epoch shows it to the model, before it is normalised.

    What works on whole batches (``data.mix``, ``data.erase``) is left out. A run that keeps no decoded pictures reads
    large photographs no further than a crop needs, and is then a few grey levels off, as ``toolkit.data.fused`` says.
    """
    from toolkit.data.augment import steps_of
    from toolkit.data.datasets import ArrayDataset
    from toolkit.data.decode import Encoded
    from toolkit.data.fused import augment_transform
    from toolkit.data.images import build_preprocess
    from toolkit.data.reading import Shrunk
    from toolkit.data.types import SampleIndex

    preprocess = build_preprocess(data, model, in_memory=part.images is not None)

    def in_memory(place: int) -> Pixels:
        assert part.images is not None
        dataset = ArrayDataset(part.images[[place]], None, preprocess, data.augment)
        return dataset[SampleIndex(0, seed=seed)][0]

    def from_file(place: int) -> Pixels:
        assert part.files is not None
        image = Encoded.of_file(part.files[place])
        pixels: Pixels = transform(read(image), SampleIndex(place, seed=seed))
        return pixels

    if part.images is not None:
        return in_memory
    steps = steps_of(data.augment, preprocess.height, preprocess.width, small=False)
    transform: Any = augment_transform(steps, preprocess) if steps else preprocess
    read = Shrunk(data.shrink)
    return from_file
