"""From the recipe's source to the datasets of each split, and what a bundle must remember of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit import Data
from toolkit.data import EpochDraw, Found, Index, inverse_frequency, joined, resampled
from toolkit.labelled_images import cut_for, labelled_data, labelled_plan, load_chosen, planned_download, told_aside
from vtk_classification.config import ClassificationRecipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit import Run


def build_data(recipe: ClassificationRecipe, run: Run) -> Data:
    """Datasets, class names, preprocessing. Training images are augmented, all others are not."""
    wanted = recipe.data.source.downloads() if run.directory is None else []
    if wanted:
        return _still_to_come(recipe, wanted)
    if run.directory is None and run.trained_meta is not None:
        found = _all_as_test(recipe, run, run.trained_meta["classes"])
    else:
        found = cut_for(run, recipe)
    warn_of_double_weights(recipe, run)
    return labelled_data(
        recipe,
        run,
        found,
        learned={"counts": _counts(found.train) if run.trained_meta is None else run.trained_meta["counts"]},
        plan=labelled_plan(recipe, found, _counts),
        drawn=lambda dataset: _training_set(recipe, found.train, dataset),
    )


def _counts(index: Index) -> list[int]:
    """Images of each class."""
    assert index.targets is not None
    return [int(count) for count in np.bincount(index.targets, minlength=len(index.classes))]


def _training_set(recipe: ClassificationRecipe, index: Index, dataset: Any) -> Any:
    """The training images as the recipe's sampler draws them."""
    sampler = recipe.data.sampler
    if sampler == "none":
        return dataset
    assert index.targets is not None
    weights = inverse_frequency(_counts(index))[index.targets]
    return resampled(dataset, EpochDraw(sampler, classes=index.targets, weights=weights))


def warn_of_double_weights(recipe: ClassificationRecipe, run: Run) -> None:
    """A sampler that evens out classes makes weights in the loss a second remedy for the same thing."""
    if recipe.data.sampler != "none" and recipe.loss.class_weights != "none":
        run.say(
            "warning: data.sampler and loss.class_weights both favour small classes; together they overdo it. "
            "Take one of them."
        )


def _all_as_test(recipe: ClassificationRecipe, run: Run, classes: Sequence[str]) -> Found:
    """Every labelled image of the source, whatever split it comes in, under the class map of a trained model.

    Raises:
        VtkError: a class that the model does not know.
    """
    found = load_chosen(recipe.data, require_all=False)
    if found.aside:
        run.say(f"note: {told_aside(found.aside)}")
    everything = joined([part for part in (found.train, found.val, found.test) if part is not None], classes)
    return Found(everything, test=everything).leaving(found.aside)


def _still_to_come(recipe: ClassificationRecipe, wanted: Sequence[str]) -> Data:
    """A check writes and fetches nothing: it learns what a run would fetch first."""
    weights = planned_download(recipe.model)
    return Data(plan={"downloads": [*wanted, *([weights] if weights else [])]})
