"""From the recipe to data sets: masks move with their pictures."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np

from toolkit import Batch, BatchKey, Data, ExitCode, Run, SampleIndex, VtkError
from vtk_segmentation.drawn import CLASSES, DrawnShapes, Pixels
from vtk_segmentation.folders import MaskedFolder, find_pairs, held_out

if TYPE_CHECKING:
    from torch import Tensor

    from vtk_segmentation.config import FolderSource, SegmentationRecipe


class Masked(Protocol):
    """Pictures with masks."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> tuple[Pixels, Pixels]: ...


class Samples:
    """What the network learns from: uint8 (3, size, size), and class numbers, int64 (size, size)."""

    thread_safe = True

    def __init__(self, source: Masked, augment: bool = False) -> None:
        self.source, self.augment = source, augment

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: SampleIndex) -> Batch:
        image, mask = self.source[index]
        if self.augment:
            image, mask = moved(image, mask, index.rng())
        return Batch(np.ascontiguousarray(image.transpose(2, 0, 1)), mask.astype(np.int64))


def moved(image: Pixels, mask: Pixels, rng: np.random.Generator) -> tuple[Pixels, Pixels]:
    """Turned, scaled, shifted and mirrored alike; the picture's light and contrast change too."""
    size = image.shape[0]
    turn = 90 * int(rng.integers(4)) + rng.uniform(-15, 15)
    matrix = cv2.getRotationMatrix2D(((size - 1) / 2,) * 2, turn, rng.uniform(0.85, 1.2))
    matrix[:, 2] += rng.uniform(-0.08, 0.08, 2) * size
    if rng.random() < 0.5:
        matrix = matrix @ np.array([[-1.0, 0, size - 1], [0, 1, 0], [0, 0, 1]])
    image = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    mask = cv2.warpAffine(mask, matrix, (size, size), flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT_101)
    return cv2.convertScaleAbs(image, alpha=rng.uniform(0.75, 1.25), beta=rng.uniform(0, 25)), mask


def scaled(batch: Any, key: BatchKey) -> Batch:
    """On the device, for a whole batch."""
    return Batch(to_unit(batch.inputs), batch.targets)


def to_unit(pixels: Tensor) -> Tensor:
    """uint8 to -1..1."""
    return pixels.float() / 127.5 - 1


def build_data(recipe: SegmentationRecipe, run: Run) -> Data:
    """Drawn shapes, or the user's folder."""
    section = recipe.data
    source = section.source
    if source.name == "drawn":
        counts = (source.train, source.val, source.test)
        sets = [DrawnShapes(count, section.size, (recipe.seed, part)) for part, count in enumerate(counts)]
        return _data(recipe, dict(zip(("train", "val", "test"), sets, strict=True)), CLASSES, "drawn")
    return _folder(recipe, source, run)


def _folder(recipe: SegmentationRecipe, source: FolderSource, run: Run) -> Data:
    pairs, names = find_pairs(source.root), ("train", "val", "test")
    # Other data than those of training are evaluated whole.
    other = run.trained_meta is not None and run.directory is None
    parts = [[], [], pairs] if other else held_out(pairs, source.val, source.test, recipe.seed)
    if not other and not parts[0]:
        raise VtkError(
            f"nothing is left to train on: {len(pairs)} pictures, and all are held out",
            place=source.root,
            hint="lower data.source.val and data.source.test",
            code=ExitCode.RECIPE,
        )
    sets = {
        name: MaskedFolder(part, recipe.data.size, len(source.classes), source.upright)
        for name, part in zip(names, parts, strict=True)
        if part
    }
    stated = "\n".join(f"{file.name} {file.stat().st_size}" for pair in parts[0] for file in pair)
    return _data(recipe, sets, source.classes, hashlib.sha256(stated.encode()).hexdigest())


def _data(recipe: SegmentationRecipe, sets: dict[str, Any], classes: list[str], fingerprint: str) -> Data:
    samples = {name: Samples(found, recipe.data.augment and name == "train") for name, found in sets.items()}
    return Data(
        **samples,
        meta={"classes": list(classes), "size": recipe.data.size},
        transform=scaled,
        fingerprint=fingerprint,
        plan={"classes": ", ".join(classes)},
    )
