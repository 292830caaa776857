"""Pictures, and two views of each."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from toolkit import Batch, BatchKey, Data, Run, SampleIndex, find_images, read_image

if TYPE_CHECKING:
    from vtk_simsiam.config import SimSiamRecipe

Pixels = npt.NDArray[np.uint8]

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # what torchvision's backbones are used to
_SIDES = {0: 40, 1: 4, 2: 3}  # a disc, a square, a triangle


class Pictures(Protocol):
    """Pictures of any size, uint8 (height, width, 3)."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Pixels: ...


class DrawnPictures:
    """A shape on striped ground each; what shape it is, 0 to 2, nobody tells the network."""

    def __init__(self, count: int, size: int, seed: tuple[int, ...]) -> None:
        drawn = [_draw(size, np.random.default_rng([*seed, i])) for i in range(count)]
        self.pictures, self.shapes = [one[0] for one in drawn], np.array([one[1] for one in drawn])

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> Pixels:
        return self.pictures[index]


def _draw(size: int, rng: np.random.Generator) -> tuple[Pixels, int]:
    shape, ground, colour = int(rng.integers(3)), rng.uniform(20, 120, 3), rng.uniform(150, 235, 3)
    y, x = np.mgrid[:size, :size]
    angle, period = rng.uniform(0, np.pi), rng.uniform(5, 12)
    stripes = 15 * np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / period)
    image = np.ascontiguousarray(ground + stripes[..., None])
    turns = rng.uniform(0, 2 * np.pi) + np.arange(_SIDES[shape]) * 2 * np.pi / _SIDES[shape]
    centre, radius = rng.uniform(0.4, 0.6, 2) * size, rng.uniform(0.22, 0.38) * size
    corners = centre + radius * np.stack([np.cos(turns), np.sin(turns)], 1)
    cv2.fillPoly(image, [np.rint(corners).astype(np.int32)], colour.tolist())
    return np.clip(image + rng.normal(0, 5, image.shape), 0, 255).astype(np.uint8), shape


class FolderPictures:
    """Files, read when they are asked for."""

    def __init__(self, files: list[Path]) -> None:
        self.files = files

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Pixels:
        return read_image(self.files[index])


class TwoViews:
    """Two views of each picture: uint8 (2, 3, size, size), a function of (seed, epoch, index)."""

    thread_safe = True

    def __init__(self, pictures: Pictures, size: int, smallest: float) -> None:
        self.pictures, self.size, self.smallest = pictures, size, smallest

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: SampleIndex) -> Batch:
        picture, rng = self.pictures[index], index.rng()
        views = [view(picture, self.size, self.smallest, rng).transpose(2, 0, 1) for _ in range(2)]
        return Batch(np.stack(views), np.int64(0))  # there is nothing to compare with


def view(picture: Pixels, size: int, smallest: float, rng: np.random.Generator) -> Pixels:
    """A part of the picture, mirrored or not, in other colours or none."""
    height, width = picture.shape[:2]
    side = np.sqrt(rng.uniform(smallest, 1))
    h, w = max(1, round(side * height)), max(1, round(side * width))
    top, left = rng.integers(height - h + 1), rng.integers(width - w + 1)
    part = cv2.resize(picture[top : top + h, left : left + w], (size, size), interpolation=cv2.INTER_LINEAR)
    part = part[:, :: 1 if rng.random() < 0.5 else -1].astype(np.float32)
    part = part[..., rng.permutation(3)] * rng.uniform(0.6, 1.4, 3) + rng.uniform(-30, 30)
    if rng.random() < 0.2:
        part = np.repeat(part.mean(2, keepdims=True), 3, 2)
    return np.clip(part, 0, 255).astype(np.uint8)


def standardised(batch: Any, key: BatchKey) -> Batch:
    """On the device, for a whole batch: uint8 to what torchvision's backbones are used to."""
    return Batch(to_network(batch.inputs), batch.targets)


def to_network(pixels: Tensor) -> Tensor:
    """uint8 (…, 3, H, W) to what the network is fed with."""
    mean, std = (torch.tensor(values, device=pixels.device).view(3, 1, 1) for values in (MEAN, STD))
    return (pixels.float() / 255 - mean) / std


def build_data(recipe: SimSiamRecipe, run: Run) -> Data:
    """Drawn shapes, or every picture below the user's folder."""
    source, size = recipe.data.source, recipe.data.size
    parts: dict[str, Pictures] = {}
    fingerprint = "drawn"
    if source.name == "drawn":
        parts = {
            "train": DrawnPictures(source.train, size, (recipe.seed, 0)),
            "val": DrawnPictures(source.val, size, (recipe.seed, 1)),
        }
    else:
        files = find_images(source.root)
        fingerprint = hashlib.sha256("\n".join(f"{f.name} {f.stat().st_size}" for f in files).encode()).hexdigest()
        order = np.random.default_rng(recipe.seed).permutation(len(files)).tolist()
        held = round(source.val * len(files))
        parts = {"train": FolderPictures([files[i] for i in order[held:]])}
        if held:
            parts["val"] = FolderPictures([files[i] for i in order[:held]])
    sets: dict[str, Any] = {name: TwoViews(part, size, recipe.data.smallest) for name, part in parts.items()}
    plan = {"pictures": sum(len(part) for part in parts.values())}
    return Data(**sets, meta={"size": size}, transform=standardised, fingerprint=fingerprint, plan=plan)
