"""From the recipe to data sets: pictures of any size, with any number of boxes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np
import torch

from toolkit import Batch, BatchKey, Data, ExitCode, Run, SampleIndex, VtkError
from vtk_detection.coco import CocoPictures, read_annotations
from vtk_detection.drawn import CLASSES, Boxed, DrawnBoxes

if TYPE_CHECKING:
    from torch import Tensor

    from vtk_detection.config import CocoSource, DetectionRecipe

Target = dict[str, "Tensor"]


class Source(Protocol):
    """Pictures with boxes."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Boxed: ...


class Samples:
    """What the network learns from: a picture, uint8 (3, height, width), with `boxes` and `labels`."""

    thread_safe = True

    def __init__(self, source: Source, augment: bool = False) -> None:
        self.source, self.augment = source, augment

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: SampleIndex) -> tuple[Tensor, Target]:
        boxed = self.source[index]
        if self.augment:
            boxed = changed(boxed, index.rng())
        image = torch.from_numpy(np.ascontiguousarray(boxed.image.transpose(2, 0, 1)))
        return image, {"boxes": torch.from_numpy(boxed.boxes), "labels": torch.from_numpy(boxed.labels)}


def changed(boxed: Boxed, rng: np.random.Generator) -> Boxed:
    """Mirrored or not, boxes too; light and contrast are others."""
    image, boxes = boxed.image, boxed.boxes
    if rng.random() < 0.5:
        image, boxes = image[:, ::-1], boxes.copy()
        boxes[:, [0, 2]] = image.shape[1] - boxes[:, [2, 0]]
    image = cv2.convertScaleAbs(np.ascontiguousarray(image), alpha=rng.uniform(0.8, 1.2), beta=rng.uniform(0, 20))
    return Boxed(image, boxes, boxed.labels)


def collate(samples: list[tuple[Tensor, Target]]) -> Batch:
    """The model is fed pictures and targets in pairs, for it makes its own losses; metrics compare with the targets."""
    return Batch(samples, [target for _, target in samples])


def scaled(batch: Any, key: BatchKey) -> Batch:
    """On the device: uint8 to 0..1."""
    return Batch([(image.float() / 255, target) for image, target in batch.inputs], batch.targets)


def build_data(recipe: DetectionRecipe, run: Run) -> Data:
    """Drawn shapes, or the user's pictures."""
    source, size = recipe.data.source, recipe.data.size
    if source.name == "coco":
        return _coco(recipe, source, run)
    counts = {"train": source.train, "val": source.val, "test": source.test}
    sets = {part: DrawnBoxes(count, size, (recipe.seed, n)) for n, (part, count) in enumerate(counts.items())}
    return _data(recipe, sets, CLASSES, "drawn", {})


def _coco(recipe: DetectionRecipe, source: CocoSource, run: Run) -> Data:
    file = Path(source.annotations).expanduser()
    found = read_annotations(file, Path(source.images).expanduser())
    # Other data than those of training are evaluated whole, with the classes numbered as they were.
    other = run.trained_meta is not None and run.directory is None
    classes = list(run.trained_meta["classes"]) if run.trained_meta is not None else found.classes
    unknown = [name for name in found.classes if name not in classes]
    if unknown:
        raise VtkError(f"the model knows no class {unknown[0]!r}", place=str(file), hint=f"it knows {classes}")
    shares = (0.0, 1.0) if other else (source.val, source.test)
    chosen = _held_out(len(found.files), *shares, recipe.seed)
    if not other and not chosen["train"]:
        raise VtkError("no picture is left to train on", place=str(file), code=ExitCode.RECIPE)
    sets = {part: CocoPictures(found, places, classes, source.upright) for part, places in chosen.items() if places}
    counts = {name: sum(labels.count(i) for labels in found.labels) for i, name in enumerate(found.classes)}
    plan = {"boxes": counts} | ({"crowds left out": found.crowds} if found.crowds else {})
    return _data(recipe, sets, classes, hashlib.sha256(file.read_bytes()).hexdigest(), plan)


def _held_out(count: int, val: float, test: float, seed: int) -> dict[str, list[int]]:
    order = np.random.default_rng(seed).permutation(count).tolist()
    first, second = round(val * count), round((val + test) * count)
    return {"train": sorted(order[second:]), "val": sorted(order[:first]), "test": sorted(order[first:second])}


def _data(
    recipe: DetectionRecipe, sets: dict[str, Any], classes: list[str], fingerprint: str, plan: dict[str, Any]
) -> Data:
    samples = {part: Samples(found, recipe.data.augment and part == "train") for part, found in sets.items()}
    return Data(
        **samples, meta={"classes": classes}, collate=collate, transform=scaled, fingerprint=fingerprint, plan=plan
    )
