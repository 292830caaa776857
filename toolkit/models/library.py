"""What a library of backbones must answer; torchvision and timm each do so in a module of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from torch import Tensor, nn

from toolkit.errors import ExitCode, VtkError
from toolkit.models.weights import Download


@dataclass(frozen=True)
class Preprocessing:
    """How weights want their images: RGB in [0, 1], less ``mean``, over ``std``, square.

    Args:
        image_size: side of the image in pixels, the one asked for or else the weights' own.
        resize: side that the picture is brought to before the image is cut from its centre.
        crop_mode: which side that is: the short one (``center``), both (``squash``) or the long one (``border``).
        interpolation: by Pillow's filter of that name, widened where the picture shrinks.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    image_size: int
    resize: int
    crop_mode: Literal["center", "squash", "border"] = "center"
    interpolation: Literal["bilinear", "bicubic", "lanczos"] = "bilinear"


@dataclass(frozen=True)
class Form:
    """What a recipe fixes about a backbone.

    Args:
        num_classes: outputs of the head.
        image_size: side of the square RGB images, in pixels.
        dropout: share of the features that the head does not see in training.
        drop_path: largest share of residual branches left out in training (stochastic depth).
    """

    num_classes: int
    image_size: int
    dropout: float = 0.0
    drop_path: float = 0.0


class Library(Protocol):
    """A library that makes classifiers by name."""

    def names(self) -> tuple[str, ...]:
        """Every architecture."""

    def knows(self, name: str) -> bool:
        """Whether there is such an architecture, also with a tag that names its weights."""

    def published(self, name: str) -> Download | None:
        """Where the weights are that the library stands for, or None."""

    def preprocessing(self, name: str, image_size: int | None = None) -> Preprocessing:
        """What those weights want; of images of another size the same share is cut away."""

    def build(self, name: str, form: Form) -> nn.Module:
        """The model as initialised. Raises ``VtkError`` for a form that it cannot have."""

    def build_published(self, name: str, form: Form, state: dict[str, Tensor]) -> nn.Module:
        """The model with its published weights, all but a head of another size."""

    def convert(self, name: str, model: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A foreign state in this model's own names and sizes, as far as that can be done."""


def no_such_option(name: str, key: str, remedy: str) -> VtkError:
    """The error for a model key that this architecture has no use for."""
    return VtkError(f"{name} has no {key} to set", place=f"model.{key}", hint=remedy, code=ExitCode.RECIPE)


def wrong_image_size(name: str, image_size: int, native: int) -> VtkError:
    """The error for images that this architecture cannot take."""
    return VtkError(
        f"{name} cannot take images of {image_size}×{image_size} pixels",
        place="data.image_size",
        hint=f"set data.image_size: {native}, its own size, or take another model.arch",
        code=ExitCode.RECIPE,
    )
