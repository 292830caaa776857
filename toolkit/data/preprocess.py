"""What evaluation and prediction do to a decoded picture, kept as numbers so that a bundle can repeat it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from toolkit.data.decode import Encoded, reduction
from toolkit.data.opencv import cv2
from toolkit.data.types import BatchKey
from toolkit.recipe.section import Section

if TYPE_CHECKING:
    import torch

__all__ = ["IMAGENET_MEAN", "IMAGENET_STD", "Normalize", "Preprocess"]

Pixels = npt.NDArray[np.uint8]
Positive = Annotated[float, Field(gt=0)]

IMAGENET_MEAN = [0.485, 0.456, 0.406]
IMAGENET_STD = [0.229, 0.224, 0.225]


class Preprocess(Section):
    """From RGB pixels of any size to what the model sees, without chance.

    ``__call__`` gives uint8, shape (height, width, channels); ``normalize`` does the rest for a whole batch, on the
    device. ``to_json`` and ``from_json`` carry both through a bundle.
    """

    takes_encoded: ClassVar[bool] = True

    height: int = Field(224, ge=1, description="Rows of the model's input.")
    width: int = Field(224, ge=1, description="Columns of the model's input.")
    resize: Annotated[int, Field(ge=1)] | None = Field(
        256,
        description="Length that the short side is brought to before the centre is cut out; null squeezes the whole "
        "picture into the input, whatever its shape.",
    )
    channels: Literal[1, 3] = Field(3, description="3 for RGB, 1 for grey.")
    mean: list[float] = Field(default_factory=lambda: list(IMAGENET_MEAN), min_length=1, max_length=3)
    std: list[Positive] = Field(default_factory=lambda: list(IMAGENET_STD), min_length=1, max_length=3)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.resize is not None and self.resize < max(self.height, self.width):
            raise ValueError(f"resize ({self.resize}) must not be below the input's {self.height} x {self.width}")
        if len(self.mean) != len(self.std) or len(self.mean) not in (1, 3):
            raise ValueError("mean and std need one number each, or one for each of three channels")
        return self

    def __call__(self, image: Pixels | Encoded, _index: int = 0) -> Pixels:
        """RGB uint8 (h, w, 3), grey (h, w, 1) or a file's content, to uint8 (height, width, channels).

        A large JPEG is decoded at a fraction of its size that leaves twice what the model sees.
        """
        if isinstance(image, Encoded):
            image = image.pixels(self._reduction(image.reducible))
        return self.in_channels(self.view(image))

    def _reduction(self, size: tuple[int, int] | None) -> int:
        if size is None:
            return 1
        if self.resize is not None:
            return reduction(min(size), 2 * self.resize)
        return min(reduction(size[0], 2 * self.height), reduction(size[1], 2 * self.width))

    def view(self, image: Pixels) -> Pixels:
        """The evaluated part of a picture at the model's size: (height, width, the picture's channels)."""
        if self.resize is not None:
            image = _centre(image, self.height, self.width, self.resize)
        if image.shape[:2] == (self.height, self.width):
            return image
        shrinks = image.shape[0] > self.height or image.shape[1] > self.width
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        resized: Pixels = cv2.resize(image, (self.width, self.height), interpolation=method)
        return resized if resized.ndim == 3 else resized[..., None]

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
        return self.model_dump(mode="json")

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        return cls.model_validate(values)


def _centre(image: Pixels, height: int, width: int, short_side: int) -> Pixels:
    """The part that would be left by bringing the short side to ``short_side`` and cropping the centre.

    Cropping comes first: it costs less, and a panorama never becomes a wall of pixels.
    """
    rows, columns = image.shape[:2]
    scale = min(rows, columns) / short_side
    tall, wide = max(1, round(height * scale)), max(1, round(width * scale))
    top, left = (rows - tall) // 2, (columns - wide) // 2
    return image[top : top + tall, left : left + wide]


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
