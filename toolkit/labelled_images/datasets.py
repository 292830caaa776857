"""From the splits of labelled images to what ``vtk_data`` returns and what ``vtk check`` shows of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from toolkit.data.loading.datasets import build_dataset
from toolkit.data.sources import Found, ImageArrays
from toolkit.data.sources.stamps import stamps_of
from toolkit.labelled_images.chosen_classes import LEFT_ASIDE
from toolkit.labelled_images.data import (
    batch_transform,
    build_preprocess,
    fingerprint,
    keeping,
    on_bad_image,
    tell_kept,
)
from toolkit.labelled_images.model import planned_download
from toolkit.types.data import Data

if TYPE_CHECKING:
    from toolkit.run.run import Run

__all__ = ["labelled_data", "labelled_plan"]


def labelled_data(
    recipe: Any,
    run: Run,
    found: Found,
    *,
    learned: Mapping[str, Any],
    plan: dict[str, Any],
    drawn: Callable[[Any], Any] = lambda dataset: dataset,
) -> Data:
    """Datasets, classes, preprocessing. Training images are augmented, all others are not.

    Args:
        recipe: ``recipe.data`` is an :class:`ImageData`.
        found: the splits; see :func:`~toolkit.labelled_images.data.cut_for`.
        learned: facts of the training data that the bundle must remember beside classes and preprocessing.
        plan: what ``vtk check`` shows; see :func:`labelled_plan`.
        drawn: the training set as a sampler draws from it.
    """
    bad = on_bad_image(recipe.data, run.trained_meta)
    preprocess = build_preprocess(recipe.data, recipe.model, in_memory=isinstance(found.train, ImageArrays))
    classes = list(found.train.classes)
    keep = keeping(recipe, run)
    train = build_dataset(found.train, preprocess, recipe.data.augment, bad, keep)
    val = None if found.val is None else build_dataset(found.val, preprocess, "none", bad, keep, "val")
    return Data(
        train=drawn(train),
        val=val,
        test=None if found.test is None else build_dataset(found.test, preprocess, "none", bad, keep, "test"),
        meta={
            "classes": classes,
            "image_size": recipe.data.image_size,
            "channels": preprocess.channels,
            "preprocess": preprocess.to_json(),
            **learned,
        },
        transform=batch_transform(recipe.data, preprocess, len(classes)),
        fingerprint=fingerprint(found),
        stamps=stamps_of(found),
        plan=tell_kept(keep, run, plan),
        bad_image_limit=recipe.data.bad_image_limit,
    )


def labelled_plan(recipe: Any, found: Found, counts: Callable[[Any], Any], **more: Any) -> dict[str, Any]:
    """What ``vtk check`` shows: images of each class in each split, what was passed over, what would be fetched.

    Args:
        counts: a split's images of each class, shape (classes,).
        more: shown after the classes.
    """
    parts = {name: index for name in ("train", "val", "test") if (index := getattr(found, name)) is not None}
    each = {name: counts(index) for name, index in parts.items()}
    plan: dict[str, Any] = {
        "classes": {
            label: {name: int(each[name][place]) for name in parts} for place, label in enumerate(found.train.classes)
        },
        **more,
    }
    if found.aside:
        plan[LEFT_ASIDE] = dict(found.aside)
    if ignored := getattr(found.train, "ignored", ()):
        plan["ignored"] = [f"{path}: {reason}" for path, reason in ignored]
    if weights := planned_download(recipe.model):
        plan["downloads"] = [weights]
    return plan
