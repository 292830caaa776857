"""Boxes drawn over pictures: for predictions and for the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torchvision.utils import draw_bounding_boxes, make_grid

from toolkit import Bundle, Figure, Result, Run, SampleIndex, Table, read_image
from vtk_detection.metrics import by_class
from vtk_detection.model import detect

if TYPE_CHECKING:
    from torch import Tensor

    from vtk_detection.data import Target

_SHOWN = 6
_COLOURS = ["red", "lime", "cyan", "yellow", "magenta", "orange", "blue", "white"]


def drawn(image: Tensor, found: Target, classes: Sequence[str]) -> Tensor:
    """The picture, uint8 (3, height, width), under its boxes, each with its class and score."""
    if not len(found["boxes"]):
        return image
    numbers = found["labels"].tolist()
    scores = [f" {score:.2f}" for score in found["scores"].tolist()] if "scores" in found else [""] * len(numbers)
    texts = [classes[number] + score for number, score in zip(numbers, scores, strict=True)]
    colours: Any = [_COLOURS[number % len(_COLOURS)] for number in numbers]
    return draw_bounding_boxes(image, found["boxes"], texts, colours)


def save(picture: Tensor, path: Path) -> None:
    """uint8 (3, height, width) as a file."""
    Image.fromarray(picture.permute(1, 2, 0).numpy()).save(path)


def predict(bundle: Bundle, inputs: Sequence[Path], drawings: Sequence[Path] | None) -> list[dict[str, Any]]:
    """For each picture its boxes, x1, y1, x2, y2 in pixels, best first."""
    classes, recipe = bundle.meta["classes"], bundle.recipe
    records = []
    for place, path in enumerate(inputs):
        image = torch.from_numpy(read_image(path).transpose(2, 0, 1).copy())
        (found,) = detect(bundle.network, [image], recipe.answers.score)  # type: ignore[attr-defined]
        parts = zip(*(found[name].tolist() for name in ("labels", "scores", "boxes")), strict=True)
        top = [
            {"class": classes[label], "confidence": round(score, 4), "box": [round(v, 1) for v in box]}
            for label, score, box in parts
        ]
        records.append({"file": str(path), "found": [one["class"] for one in top], "top": top})
        if drawings is not None:
            save(drawn(image, found, classes), drawings[place])
    return records


def report(run: Run, result: Result) -> list[Figure | Table]:
    """Each class's precision, and pictures with their true and their predicted boxes."""
    if result.outputs is None:
        return []
    classes, samples = run.data.meta["classes"], getattr(run.data, result.split)
    least = run.recipe.answers.score  # type: ignore[attr-defined]

    def draw(path: Path) -> None:
        size, tiles = 2 * run.recipe.data.size, []  # type: ignore[attr-defined]
        for i in range(min(_SHOWN, len(samples))):
            image, target = samples[SampleIndex(i)]
            sure = result.outputs[i]["scores"] >= least
            found = {name: part[sure] for name, part in result.outputs[i].items()}
            tiles += [_tile(image, boxes, classes, size) for boxes in (target, found)]
        save(make_grid(tiles, nrow=4), path)

    rows = by_class(result.outputs, result.targets, classes)
    return [
        Table("precision-by-class", "Average precision of each class at IoU 0.5", ["class", "AP", "boxes"], rows),
        Figure("boxes", "Pictures with their true boxes, and beside them with the predicted ones", draw),
    ]


def _tile(image: Tensor, found: Target, classes: Sequence[str], size: int) -> Tensor:
    """A picture with boxes on a square of ``size``."""
    factor = size / max(image.shape[-2:])
    big = torch.nn.functional.interpolate(image[None].float(), scale_factor=factor)[0].byte()
    tile = torch.zeros(3, size, size, dtype=torch.uint8)
    marked = drawn(big, {**found, "boxes": found["boxes"] * factor}, classes)
    tile[:, : marked.shape[1], : marked.shape[2]] = marked
    return tile
