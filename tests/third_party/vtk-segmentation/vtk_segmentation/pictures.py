"""Masks drawn over pictures: for predictions and for the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from PIL import Image

from toolkit import Bundle, Figure, Result, Run, SampleIndex, Table, read_image
from vtk_segmentation.data import to_unit
from vtk_segmentation.drawn import Pixels
from vtk_segmentation.folders import IGNORED, resized

if TYPE_CHECKING:
    from torch import Tensor

_SHOWN = 6
_LEAST = 0.002  # share of the pixels from which on a class counts as found
_OPACITY = 0.55


def palette(classes: int) -> Pixels:
    """A colour for each class, hues evenly apart; that of class 0 is not drawn. Shape (classes, 3)."""
    hues = np.arange(classes) * 180 // classes
    hsv = np.stack([hues, np.full(classes, 230), np.full(classes, 255)], 1).astype(np.uint8)
    return cv2.cvtColor(hsv[None], cv2.COLOR_HSV2RGB)[0]


def overlay(image: Pixels, mask: Pixels, classes: int) -> Pixels:
    """The picture under its mask; class 0 and ignored pixels stay as they are."""
    colours = palette(classes)
    shown = (mask != 0) & (mask != IGNORED)
    drawn = image.copy()
    blended = (1 - _OPACITY) * image[shown] + _OPACITY * colours[mask[shown]]
    drawn[shown] = np.rint(blended).astype(np.uint8)
    return drawn


def predict(bundle: Bundle, inputs: Sequence[Path], drawings: Sequence[Path] | None) -> list[dict[str, Any]]:
    """For each picture what is in it, and the share of each class; the overlay at the picture's own size."""
    names, size = bundle.meta["classes"], bundle.meta["size"]
    device = next(bundle.network.parameters()).device
    records = []
    for place, path in enumerate(inputs):
        image = read_image(path)
        pixels = torch.from_numpy(resized(image, size).transpose(2, 0, 1)[None].copy()).to(device)
        with torch.inference_mode():
            logits = bundle.network(to_unit(pixels))[0]
        mask = logits.argmax(0).byte().cpu().numpy()
        shares = {name: round(float((mask == i).mean()), 4) for i, name in enumerate(names)}
        found = [name for name in names[1:] if shares[name] >= _LEAST]
        records.append({"file": str(path), "found": found, "shares": shares})
        if drawings is not None:
            whole = cv2.resize(mask, image.shape[1::-1], interpolation=cv2.INTER_NEAREST_EXACT)
            Image.fromarray(overlay(image, whole, len(names))).save(drawings[place])
    return records


def report(run: Run, result: Result) -> list[Figure | Table]:
    """Each class's IoU, and pictures under their true and their predicted masks."""
    if result.outputs is None:
        return []
    classes = run.data.meta["classes"]
    predicted = result.outputs.argmax(1)
    rows = [[name, *_overlap(predicted == i, result.targets == i)] for i, name in enumerate(classes)]
    samples = getattr(run.data, result.split)
    shown = [samples[SampleIndex(i)] for i in range(min(_SHOWN, len(samples)))]

    def draw(path: Path) -> None:
        columns = [
            np.concatenate([image, overlay(image, truth, len(classes)), overlay(image, guess, len(classes))])
            for (image, truth), guess in zip(map(_pixels, shown), predicted[:_SHOWN].byte().numpy(), strict=True)
        ]
        sheet = Image.fromarray(np.concatenate(columns, 1))
        factor = max(1, 128 // run.data.meta["size"])
        sheet.resize((sheet.width * factor, sheet.height * factor), Image.Resampling.NEAREST).save(path)

    return [
        Table("iou-by-class", "Intersection over union of each class", ["class", "IoU", "pixels"], rows),
        Figure("overlays", "Pictures, their true masks, and below the predicted ones", draw),
    ]


def _pixels(sample: Any) -> tuple[Pixels, Pixels]:
    return sample.inputs.transpose(1, 2, 0), sample.targets.astype(np.uint8)


def _overlap(predicted: Tensor, true: Tensor) -> tuple[float | None, int]:
    either = int((predicted | true).sum())
    return (round(int((predicted & true).sum()) / either, 4) if either else None), int(true.sum())
