"""Pictures for the page: samples of each class as they enter the model, and the files that a fault is about."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolkit.data.io.decode import ImageError, decode_bytes, read_bytes
from toolkit.data.io.resize import area_resized
from toolkit.system.opencv import cv2
from toolkit.types.survey import Survey, SurveyPart

__all__ = ["SheetRow", "contact_sheet", "preview"]

Pixels = npt.NDArray[np.uint8]

PER_CLASS = 8
CLASSES = 30
_SIDE = 120
_SMALL = 64


@dataclass(frozen=True)
class SheetRow:
    """Samples of one class: data URLs of the pictures with their names."""

    label: str
    pictures: tuple[tuple[str, str], ...]


def contact_sheet(survey: Survey, seed: int = 0) -> Iterator[SheetRow]:
    """Up to 8 samples of each of the first 30 classes, or of all where there are none, drawn by ``seed`` from training.

    A sample is shown as the first epoch shows it to the model. Those that cannot be read are left out.
    """
    part = survey.parts.get("train")
    if part is None or survey.seen is None:
        return
    for number, (label, places) in enumerate(_members(part).items()):
        order = np.random.default_rng([seed, number]).permutation(len(places))
        pictures: list[tuple[str, str]] = []
        for drawn in order:
            if len(pictures) == PER_CLASS:
                break
            try:
                seen = survey.seen(places[drawn])
            except ImageError:
                continue
            pictures.append((part.names[places[drawn]], data_url(seen)))
        yield SheetRow(label, tuple(pictures))


def _members(part: SurveyPart) -> dict[str, list[int]]:
    """Positions of each class's samples."""
    if part.labels is None:
        return {"": list(range(len(part)))}
    members: dict[str, list[int]] = {label: [] for label in part.classes[:CLASSES]}
    for place, labels in enumerate(part.each()):
        for label in labels:
            if label in members:
                members[label].append(place)
    return members


def preview(file: Path) -> str | None:
    """A small picture of a file as a data URL, None where it cannot be decoded."""
    try:
        pixels = decode_bytes(read_bytes(file), file, at_least=_SIDE)
    except ImageError:
        return None
    scale = _SIDE / max(pixels.shape[:2])
    if scale < 1:
        height, width = (max(1, round(length * scale)) for length in pixels.shape[:2])
        pixels = area_resized(pixels, height, width)
    return data_url(pixels)


def data_url(pixels: Pixels) -> str:
    """RGB or grey uint8 (h, w, c) as a ``data:`` URL: PNG where it is small, JPEG else."""
    image = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.shape[2] == 3 else pixels
    small = max(pixels.shape[:2]) <= _SMALL
    _, encoded = cv2.imencode(".png", image) if small else cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 85])
    kind = "png" if small else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(encoded.tobytes()).decode()}"
