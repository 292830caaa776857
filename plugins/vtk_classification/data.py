"""From the recipe's source to the datasets of each split, and what a bundle must remember of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit import Data
from toolkit.data.loading.balance import EpochDraw, inverse_frequency, resampled
from toolkit.data.loading.datasets import build_dataset
from toolkit.data.sources import Found, ImageArrays
from toolkit.data.sources.index import Index, joined
from toolkit.data.sources.stamps import stamps_of
from toolkit.labelled_images.chosen_classes import LEFT_ASIDE, load_chosen, told_aside
from toolkit.labelled_images.data import (
    batch_transform,
    build_preprocess,
    cut_for,
    fingerprint,
    keeping,
    on_bad_image,
    tell_kept,
)
from toolkit.labelled_images.model import planned_download
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
    bad = on_bad_image(recipe.data, run.trained_meta)
    preprocess = build_preprocess(recipe.data, recipe.model, in_memory=isinstance(found.train, ImageArrays))
    classes = list(found.train.classes)
    warn_of_double_weights(recipe, run)
    keep = keeping(recipe, run)
    train = build_dataset(found.train, preprocess, recipe.data.augment, bad, keep)
    val = None if found.val is None else build_dataset(found.val, preprocess, "none", bad, keep, "val")
    return Data(
        train=_training_set(recipe, found.train, train),
        val=val,
        test=None if found.test is None else build_dataset(found.test, preprocess, "none", bad, keep, "test"),
        meta={
            "classes": classes,
            "image_size": recipe.data.image_size,
            "channels": preprocess.channels,
            "preprocess": preprocess.to_json(),
            "counts": _counts(found.train) if run.trained_meta is None else run.trained_meta["counts"],
        },
        transform=batch_transform(recipe.data, preprocess, len(classes)),
        fingerprint=fingerprint(found),
        stamps=stamps_of(found),
        plan=tell_kept(keep, run, describe(recipe, found)),
        bad_image_limit=recipe.data.bad_image_limit,
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


def describe(recipe: ClassificationRecipe, found: Found) -> dict[str, Any]:
    """What ``vtk check`` shows: images of each class in each split, what was passed over, what would be fetched."""
    parts = {name: index for name in ("train", "val", "test") if (index := getattr(found, name)) is not None}
    counts = {name: np.bincount(index.targets, minlength=len(index.classes)) for name, index in parts.items()}
    plan: dict[str, Any] = {
        "classes": {
            label: {name: int(counts[name][place]) for name in parts} for place, label in enumerate(found.train.classes)
        }
    }
    if found.aside:
        plan[LEFT_ASIDE] = dict(found.aside)
    ignored = getattr(found.train, "ignored", ())
    if ignored:
        plan["ignored"] = [f"{path}: {reason}" for path, reason in ignored]
    weights = planned_download(recipe.model)
    if weights:
        plan["downloads"] = [weights]
    return plan
