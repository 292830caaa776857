"""The survey of a task on labelled images: split as a run would split it, with a view of what enters the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from toolkit.data.sources.index import Found
from toolkit.data.sources.source import Source
from toolkit.data.sources.survey import survey_of
from toolkit.errors import VtkError
from toolkit.types.survey import Survey, SurveyKeys, SurveyPart

if TYPE_CHECKING:
    from toolkit.labelled_images.data_sections import ImageData

__all__ = ["survey_images", "training_view"]

Pixels = npt.NDArray[np.uint8]


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
    survey = _of_chosen(source.survey(), recipe.data)
    survey = _as_cut(survey, recipe, cut)
    seen = training_view(recipe.data, recipe.model, recipe.seed, survey.parts["train"]) if survey.parts else None
    return replace(survey, seen=seen, input_side=recipe.data.image_size, keys=_keys(recipe.data, survey))


def _of_chosen(survey: Survey, data: ImageData) -> Survey:
    """Without the samples of classes that the recipe does not choose."""
    from toolkit.labelled_images.chosen_classes import chosen_part

    if data.classes is None:
        return survey
    parts = {name: chosen_part(part, data.classes, several=data.several_labels) for name, part in survey.parts.items()}
    return replace(survey, parts={name: part for name, part in parts.items() if len(part)})


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
    from toolkit.data.splits.splits import held_out
    from toolkit.labelled_images.chosen_classes import load_chosen

    everything = recipe.model_copy(update={"data": recipe.data.model_copy(update={"limit": None})})
    try:
        found = load_chosen(recipe.data)
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
    large photographs no further than a crop needs, and is then a few grey levels off, as
    ``toolkit.data.augment.fused_affine`` says.
    """
    from toolkit.data.augment.augment import steps_of
    from toolkit.data.augment.fused_affine import augment_transform
    from toolkit.data.io.decode import Encoded
    from toolkit.data.loading.datasets import ArrayDataset
    from toolkit.data.loading.image_cache import Shrunk
    from toolkit.labelled_images.data import build_preprocess
    from toolkit.types.data import SampleIndex

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
