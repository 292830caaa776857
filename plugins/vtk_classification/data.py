"""From the recipe's source to the datasets of each split, and what a bundle must remember of them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit import Data, ExitCode, VtkError
from toolkit.data.datasets import build_dataset
from toolkit.data.preprocess import IMAGENET_MEAN, IMAGENET_STD, Preprocess
from toolkit.data.sources import Found, ImageArrays
from toolkit.data.sources.index import joined
from toolkit.data.splits import apply_manifest, manifest_of, read_manifest, split_found, stratified, write_manifest
from vtk_classification.config import BackboneModel, ClassificationRecipe, MeanStd
from vtk_classification.model import planned_download

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from toolkit import Run

MANIFEST = "split.json"
_HALF = [0.5]


def build_data(recipe: ClassificationRecipe, run: Run) -> Data:
    """Datasets, class names, preprocessing. Training images are augmented, all others are not."""
    wanted = recipe.data.source.downloads() if run.directory is None else []
    if wanted:
        return _still_to_come(recipe, wanted)
    if run.directory is None and run.trained_meta is not None:
        found = _all_as_test(recipe, run.trained_meta["classes"])
    else:
        found = _cut(recipe, run.directory)
    preprocess = build_preprocess(recipe, in_memory=isinstance(found.train, ImageArrays))
    classes = list(found.train.classes)
    return Data(
        train=build_dataset(found.train, preprocess, recipe.data.augment),
        val=None if found.val is None else build_dataset(found.val, preprocess),
        test=None if found.test is None else build_dataset(found.test, preprocess),
        meta={
            "classes": classes,
            "image_size": recipe.data.image_size,
            "channels": preprocess.channels,
            "preprocess": preprocess.to_json(),
        },
        transform=preprocess.normalize(),
        fingerprint=fingerprint(found),
        plan=describe(recipe, found),
    )


def build_preprocess(recipe: ClassificationRecipe, *, in_memory: bool) -> Preprocess:
    """What evaluation and prediction do to an image. ``in_memory``: images that come in one size already."""
    data = recipe.data
    resize: int | None
    if data.resize == "squeeze" or (data.resize == "auto" and in_memory):
        resize = None
    else:
        resize = round(data.image_size * 8 / 7) if data.resize == "auto" else data.resize
    if resize is not None and resize < data.image_size:
        raise VtkError(
            f"images whose short side is brought to {resize} pixels have no centre of {data.image_size} pixels",
            place="data.resize",
            hint=f"set data.resize to {data.image_size} or more, or to squeeze",
            code=ExitCode.RECIPE,
        )
    mean, std = _mean_std(recipe)
    size = data.image_size
    return Preprocess(height=size, width=size, resize=resize, channels=1 if data.grey else 3, mean=mean, std=std)


def _mean_std(recipe: ClassificationRecipe) -> tuple[list[float], list[float]]:
    choice = recipe.data.normalize
    if isinstance(choice, MeanStd):
        return _own_mean_std(choice, 1 if recipe.data.grey else 3)
    if choice == "auto" and isinstance(recipe.model, BackboneModel):
        from toolkit.models.backbones import preprocessing

        wanted = preprocessing(recipe.model.arch)
        return list(wanted.mean), list(wanted.std)
    if choice == "imagenet":
        return list(IMAGENET_MEAN), list(IMAGENET_STD)
    return _HALF, _HALF


def _own_mean_std(choice: MeanStd, channels: int) -> tuple[list[float], list[float]]:
    for key in ("mean", "std"):
        count = len(getattr(choice, key))
        if count not in (1, channels):
            raise VtkError(
                f"{count} numbers for images of {channels} channels",
                place=f"data.normalize.{key}",
                hint=f"give one number, or {channels}",
                code=ExitCode.RECIPE,
            )
    size = max(len(choice.mean), len(choice.std))
    return (choice.mean * size)[:size], (choice.std * size)[:size]


def _cut(recipe: ClassificationRecipe, directory: Path | None) -> Found:
    """The splits; a run that has a manifest keeps to it, another one writes its own."""
    found = recipe.data.source.load()
    manifest = None if directory is None else directory / MANIFEST
    if manifest is not None and manifest.is_file():
        return apply_manifest(found, read_manifest(manifest))
    cut = split_found(found, recipe.data.split, recipe.seed)
    if recipe.data.limit is not None:
        cut = _limited(cut, recipe.data.limit, recipe.seed)
    if manifest is not None:
        write_manifest(manifest, manifest_of(cut, recipe.seed))
    return cut


def _limited(found: Found, limit: int, seed: int) -> Found:
    """At most ``limit`` images of each split, in the classes' own proportions."""
    parts: dict[str, Any] = {}
    for name in ("train", "val", "test"):
        index = getattr(found, name)
        if index is not None and len(index) > limit and index.targets is not None:
            index = index.take(stratified(index.targets, {"kept": limit / len(index)}, seed)["kept"])
        parts[name] = index
    return Found(**parts)


def _all_as_test(recipe: ClassificationRecipe, classes: Sequence[str]) -> Found:
    """Every labelled image of the source, whatever split it comes in, under the class map of a trained model.

    Raises:
        VtkError: a class that the model does not know.
    """
    found = recipe.data.source.load()
    everything = joined([part for part in (found.train, found.val, found.test) if part is not None], classes)
    return Found(everything, test=everything)


def _still_to_come(recipe: ClassificationRecipe, wanted: Sequence[str]) -> Data:
    """A check writes and fetches nothing: it learns what a run would fetch first."""
    weights = planned_download(recipe.model)
    return Data(plan={"downloads": [*wanted, *([weights] if weights else [])]})


def fingerprint(found: Found) -> str:
    """Names the training data: SHA-256 over paths, file sizes and labels, or over the pixels of images in memory."""
    train = found.train
    digest = hashlib.sha256("\0".join(train.classes).encode())
    if isinstance(train, ImageArrays):
        digest.update(np.ascontiguousarray(train.images).data)
    else:
        for path, file in zip(train.paths, train.files, strict=True):
            digest.update(f"{path}\0{file.stat().st_size}\0".encode())
    if train.targets is not None:
        digest.update(np.ascontiguousarray(train.targets).data)
    return digest.hexdigest()


def describe(recipe: ClassificationRecipe, found: Found) -> dict[str, Any]:
    """What ``vtk check`` shows: images of each class in each split, what was passed over, what would be fetched."""
    parts = {name: index for name in ("train", "val", "test") if (index := getattr(found, name)) is not None}
    counts = {name: np.bincount(index.targets, minlength=len(index.classes)) for name, index in parts.items()}
    plan: dict[str, Any] = {
        "classes": {
            label: {name: int(counts[name][place]) for name in parts} for place, label in enumerate(found.train.classes)
        }
    }
    ignored = getattr(found.train, "ignored", ())
    if ignored:
        plan["ignored"] = [f"{path}: {reason}" for path, reason in ignored]
    weights = planned_download(recipe.model)
    if weights:
        plan["downloads"] = [weights]
    return plan
