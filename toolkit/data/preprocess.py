"""What evaluation and prediction do to a decoded picture, kept as numbers so that a bundle can repeat it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from toolkit.bounds import Deviation, Level, Mean
from toolkit.data.io.decode import Encoded, reduction
from toolkit.data.io.resize import Box, Interpolation, area_resized, filtered
from toolkit.section import Section
from toolkit.system.opencv import cv2
from toolkit.types.data import BatchKey
from toolkit.types.imagenet import IMAGENET_MEAN, IMAGENET_STD

if TYPE_CHECKING:
    import torch

__all__ = ["IMAGENET_MEAN", "IMAGENET_STD", "CropMode", "Normalize", "Preprocess"]

Pixels = npt.NDArray[np.uint8]
Side = Annotated[int, Field(ge=1, le=16_384)]
CropMode = Literal["center", "squash", "border"]

_WHOLE = 16
"""Up to so many times the input's pixels the whole picture is resized before it is cut, as other libraries do: cutting
first saves little then, and its arithmetic is a few grey levels off here and there."""


class Preprocess(Section):
    """From RGB pixels of any size to what the model sees, without chance.

    ``__call__`` gives uint8, shape (height, width, channels); ``normalize`` does the rest for a whole batch, on the
    device. ``to_json`` and ``from_json`` carry both through a bundle.
    """

    takes_encoded: ClassVar[bool] = True

    height: Side = Field(224, description="Rows of the model's input.")
    width: Side = Field(224, description="Columns of the model's input.")
    resize: Side | None = Field(
        256,
        description="Length that the short side is brought to before the centre is cut out; null squeezes the whole "
        "picture into the input, whatever its shape.",
    )
    crop_mode: CropMode = Field(
        default="center",
        description="What `resize` is the length of: `center`, the short side; `squash`, both sides; `border`, the "
        "long side. The names are timm's.",
    )
    interpolation: Interpolation = Field(
        default="area",
        description="`area`: OpenCV's means over areas, bilinear where a side grows; the others are Pillow's.",
    )
    fill: list[Level] | None = Field(
        default=None,
        min_length=3,
        max_length=3,
        description="RGB of what surrounds a picture that does not fill the input.",
    )
    channels: Literal[1, 3] = Field(3, description="3 for RGB, 1 for grey.")
    mean: list[Mean] = Field(default_factory=lambda: list(IMAGENET_MEAN), min_length=1, max_length=3)
    std: list[Deviation] = Field(default_factory=lambda: list(IMAGENET_STD), min_length=1, max_length=3)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        may_be_small = self.fill is not None or self.crop_mode == "border"
        if self.resize is not None and self.resize < max(self.height, self.width) and not may_be_small:
            raise ValueError(f"resize ({self.resize}) must not be below the input's {self.height} x {self.width}")
        if len(self.mean) != len(self.std) or len(self.mean) not in (1, 3):
            raise ValueError("mean and std need one number each, or one for each of three channels")
        return self

    def __call__(self, image: Pixels | Encoded, _index: int = 0) -> Pixels:
        """RGB uint8 (h, w, 3), grey (h, w, 1) or a file's content, to uint8 (height, width, channels).

        A large JPEG is decoded at a fraction of its size that leaves twice what the model sees. On photographs that is
        within 2 grey levels of what all its pixels give, in the mean over a picture.
        """
        if not isinstance(image, Encoded):
            return self.in_channels(self.view(image))
        size = image.reducible
        factor = 1 if size is None else self._reduction(size)
        if size is None or factor == 1:
            return self.in_channels(self.view(image.pixels()))
        return self.in_channels(self._seen(image.pixels(factor), size, factor, image.lead(factor)))

    def _reduction(self, size: tuple[int, int]) -> int:
        rows, columns = self._scaled(*size)
        return min(reduction(size[0], 2 * rows), reduction(size[1], 2 * columns))

    def _scaled(self, rows: int, columns: int) -> tuple[int, int]:
        """The size that a picture of so many rows and columns is brought to before it is cut; timm's rounding."""
        side = self.resize
        if side is None:
            return self.height, self.width
        if self.crop_mode == "squash":
            return side, side
        if self.crop_mode == "border":
            longest = max(rows, columns)
            return max(1, round(rows * side / longest)), max(1, round(columns * side / longest))
        shortest = min(rows, columns)
        return int(side * rows / shortest), int(side * columns / shortest)

    def view(self, image: Pixels) -> Pixels:
        """The evaluated part of a picture at the model's size: (height, width, the picture's channels)."""
        return self._seen(image, (image.shape[0], image.shape[1]))

    def _seen(self, image: Pixels, size: tuple[int, int], factor: int = 1, lead: tuple[int, int] = (0, 0)) -> Pixels:
        """:meth:`view` of a picture of (rows, columns) that was decoded at one of ``factor``, see ``Encoded.lead``."""
        rows, columns = size
        tall, wide = self._scaled(rows, columns)
        down, across = _Visible.of(tall, self.height), _Visible.of(wide, self.width)
        if self.interpolation != "area" and factor == 1 and tall * wide <= _WHOLE * self.height * self.width:
            seen = filtered(image, tall, wide, self.interpolation, (0, 0, rows, columns))
            return self._filled(seen[down.first :, across.first :][: down.count, : across.count], down, across)
        (top, bottom), (left, right) = down.source(rows / tall), across.source(columns / wide)
        box = _whole(top, left, bottom, right, size) if self.interpolation == "area" else (top, left, bottom, right)
        (y, x), (top, left, bottom, right) = lead, box
        box = (top + y) / factor, (left + x) / factor, (bottom + y) / factor, (right + x) / factor
        seen = self._resized(image, down.count, across.count, box, whole=factor == 1)
        return self._filled(seen, down, across)

    def _filled(self, seen: Pixels, down: _Visible, across: _Visible) -> Pixels:
        """What is seen, in the middle of an input that it does not fill."""
        if seen.shape[:2] == (self.height, self.width):
            return np.ascontiguousarray(seen)
        canvas = np.empty((self.height, self.width, seen.shape[2]), np.uint8)
        canvas[:] = np.array(self.fill or [0, 0, 0], np.uint8)[: seen.shape[2]]
        canvas[down.before : down.before + down.count, across.before : across.before + across.count] = seen
        return canvas

    def _resized(self, image: Pixels, height: int, width: int, box: Box, *, whole: bool) -> Pixels:
        if self.interpolation != "area":
            return filtered(image, height, width, self.interpolation, box)
        if not whole:  # the parts of pixels count: one of a picture decoded at an eighth stands for eight of its own
            return filtered(image, height, width, "hamming", box)
        top, left, bottom, right = (int(side) for side in box)
        return area_resized(image[top:bottom, left:right], height, width)

    def in_channels(self, image: Pixels) -> Pixels:
        """Converted between RGB and grey where the model wants the other."""
        if image.shape[2] == self.channels:
            return image
        if self.channels == 1:
            grey: Pixels = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
            return grey[..., None]
        return np.repeat(image, 3, axis=2)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of what ``__call__`` gives."""
        return self.height, self.width, self.channels

    def normalize(self) -> Normalize:
        """The batch's part of the preprocessing."""
        return Normalize(self.mean, self.std)

    def to_json(self) -> dict[str, Any]:
        """Every number, and by whose arithmetic pictures are resized (``library``)."""
        return self.model_dump(mode="json") | {"library": "opencv" if self.interpolation == "area" else "pillow"}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        return cls.model_validate({key: value for key, value in values.items() if key != "library"})


@dataclass(frozen=True)
class _Visible:
    """Of one axis of the resized picture, the pixels that the model sees, and how many of the input lie before them."""

    first: int
    count: int
    before: int = 0

    @classmethod
    def of(cls, length: int, wanted: int) -> _Visible:
        if length < wanted:
            return cls(0, length, (wanted - length) // 2)
        return cls(round((length - wanted) / 2), wanted)

    def source(self, scale: float) -> tuple[float, float]:
        """Where these pixels begin and end in the picture, of which one of them spans ``scale``."""
        return self.first * scale, (self.first + self.count) * scale


def _whole(top: float, left: float, bottom: float, right: float, size: tuple[int, int]) -> Box:
    """Whole pixels of a part, at least one each way.

    Cutting comes before resizing: it costs less, and a panorama never becomes a wall of pixels.
    """
    first, start = min(round(top), size[0] - 1), min(round(left), size[1] - 1)
    return first, start, max(first + 1, round(bottom)), max(start + 1, round(right))


class Normalize:
    """(x / 255 − mean) / std for a whole batch on its device.

    Takes uint8 of shape (n, height, width, channels); returns float32 of shape (n, channels, height, width) in the
    channels-last memory format. One channel and three means give three channels. Inputs that are not uint8 are left
    alone, so that a batch is never normalised twice.

    Args:
        mean: per channel, for inputs in [0, 1].
        std: per channel.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        self.mean = tuple(mean)
        self.std = tuple(std)
        self._rows: dict[tuple[torch.device, int], tuple[torch.Tensor, torch.Tensor]] = {}

    def __call__(self, batch: Any, _key: BatchKey | None = None) -> Any:
        """The batch (a tuple, inputs first) with its inputs normalised."""
        inputs = self.apply(batch[0])
        if hasattr(batch, "_replace"):
            return batch._replace(inputs=inputs)
        return (inputs, *batch[1:])

    def apply(self, images: torch.Tensor) -> torch.Tensor:
        import torch

        if images.dtype != torch.uint8:
            return images
        count, height, width, channels = images.shape
        if channels == 1 and len(self.mean) == 3:
            images, channels = images.expand(-1, -1, -1, 3), 3
        # Whole rows of (width · channels) keep the inner loop long; broadcasting over 3 channels costs four times more.
        scale, shift = self._row(images.device, width, channels)
        rows = images.reshape(count, height, width * channels).float()
        torch.addcmul(shift, rows, scale, out=rows)
        return rows.view(count, height, width, channels).permute(0, 3, 1, 2)

    def _row(self, device: torch.device, width: int, channels: int) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        cached = self._rows.get((device, width))
        if cached is None:
            mean = torch.tensor(self.mean, dtype=torch.float64).expand(channels)
            std = torch.tensor(self.std, dtype=torch.float64).expand(channels)
            scale, shift = 1 / (255 * std), -mean / std
            cached = scale.float().repeat(width).to(device), shift.float().repeat(width).to(device)
            self._rows[device, width] = cached
        return cached

    def to_json(self) -> dict[str, Any]:
        return {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Normalize:
        return cls(values["mean"], values["std"])
