"""Pictures and boxes from a file of annotations in COCO's format (cocodataset.org/#format-data)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toolkit import ExitCode, VtkError, read_image
from vtk_detection.drawn import Boxed, Pixels

_PLAIN = "the file needs `images`, `annotations` and `categories` as COCO has them"


@dataclass(frozen=True)
class Annotations:
    """What the file says.

    Args:
        classes: names of the categories, in the order of their ids.
        files: every picture.
        sizes: for each picture the width and height that the file states, or None.
        boxes: for each picture its boxes as x1, y1, x2, y2, in pixels.
        labels: for each picture its boxes' places in ``classes``.
        crowds: how many annotations were left out because they stand for a crowd.
    """

    classes: list[str]
    files: list[Path]
    sizes: list[tuple[int, int] | None]
    boxes: list[list[list[float]]]
    labels: list[list[int]]
    crowds: int


def read_annotations(file: Path, images: Path) -> Annotations:
    """The whole file, checked.

    Raises:
        VtkError: it is missing, no JSON, or says what cannot be.
    """
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        categories = sorted(document["categories"], key=lambda category: category["id"])
        places = {category["id"]: place for place, category in enumerate(categories)}
        pictures = {picture["id"]: place for place, picture in enumerate(document["images"])}
        classes = [str(category["name"]) for category in categories]
        files = [images / picture["file_name"] for picture in document["images"]]
        sizes = [(p["width"], p["height"]) if "width" in p and "height" in p else None for p in document["images"]]
        annotations = document["annotations"]
    except OSError as error:
        code = ExitCode.NO_INPUT if isinstance(error, FileNotFoundError) else ExitCode.IO
        raise VtkError(f"cannot be read: {error.strerror}", place=str(file), code=code) from error
    except (ValueError, TypeError) as error:
        raise VtkError(f"not a file of annotations: {error}", place=str(file), hint=_PLAIN) from error
    except KeyError as error:
        raise VtkError(f"not a file of annotations: {error} is missing", place=str(file), hint=_PLAIN) from error
    found = Annotations(classes, files, sizes, [[] for _ in files], [[] for _ in files], _crowds(annotations))
    for number, annotation in enumerate(annotations):
        if not annotation.get("iscrowd"):
            _take(found, annotation, pictures, places, f"{file}: annotations[{number}]")
    return found


def _crowds(annotations: list[dict[str, Any]]) -> int:
    return sum(bool(annotation.get("iscrowd")) for annotation in annotations)


def _take(
    found: Annotations, annotation: dict[str, Any], pictures: dict[Any, int], places: dict[Any, int], place: str
) -> None:
    picture, category = annotation.get("image_id"), annotation.get("category_id")
    if picture not in pictures:
        raise VtkError(f"there is no image with the id {picture!r}", place=place)
    if category not in places:
        raise VtkError(f"there is no category with the id {category!r}", place=place)
    try:
        x, y, width, height = map(float, annotation["bbox"])
    except (KeyError, TypeError, ValueError) as error:
        raise VtkError("bbox is not [x, y, width, height]", place=place) from error
    if not (width > 0 and height > 0):
        raise VtkError(f"bbox has the size {width:g} × {height:g}", place=place, hint="mend it or take it out")
    found.boxes[pictures[picture]].append([x, y, x + width, y + height])
    found.labels[pictures[picture]].append(places[category])


class CocoPictures:
    """Some of the pictures, read when they are asked for. Their labels may be numbered anew by ``classes``."""

    def __init__(self, found: Annotations, chosen: list[int], classes: list[str], upright: bool) -> None:
        self.found, self.chosen, self.upright = found, chosen, upright
        self.places = np.array([classes.index(name) for name in found.classes], np.int64)

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: int) -> Boxed:
        picture = self.chosen[index]
        boxes = np.array(self.found.boxes[picture], np.float32).reshape(-1, 4)
        labels = self.places[np.array(self.found.labels[picture], np.int64)]
        return Boxed(self._pixels(picture), boxes, labels)

    def _pixels(self, picture: int) -> Pixels:
        """The picture, as its boxes know it."""
        file, stated = self.found.files[picture], self.found.sizes[picture]
        pixels = read_image(file, upright=self.upright)
        if stated is not None and pixels.shape[1::-1] != stated:
            drawn, is_now = (f"{width}×{height}" for width, height in (stated, pixels.shape[1::-1]))
            other = f"boxes may be those of the other view: set data.source.upright to {str(not self.upright).lower()}"
            raise VtkError(
                f"its boxes were drawn on {drawn} pixels, and it has {is_now}",
                place=str(file),
                hint=other if stated == pixels.shape[:2] else None,
            )
        return pixels
