"""Test-time augmentation: one answer from several views of an image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from toolkit.labelled_images.model_sections import Inference

__all__ = ["TestTimeAugmentation", "views", "with_views"]

Views = Literal["mirror", "crops"]
Activation = Literal["softmax", "sigmoid"]

# Side of a crop, as a share of the image's: 224 of 256 pixels.
_CROP = 7 / 8


class TestTimeAugmentation(nn.Module):
    """Averages a classifier's probabilities over views of each image, and gives them back as logits.

    ``mirror`` takes the image and its mirror image; ``crops`` also four corners and the centre of both, enlarged to the
    image's size (Krizhevsky, Sutskever, Hinton: ImageNet Classification with Deep Convolutional Neural Networks, 2012).

    Args:
        model: images → logits.
        kind: which views.
        activation: what makes probabilities of the logits: ``softmax`` over classes, or ``sigmoid`` for each label.
    """

    __test__ = False  # the name is no reason for pytest to collect it

    def __init__(self, model: nn.Module, kind: Views, activation: Activation) -> None:
        super().__init__()
        self.model = model
        self.kind = kind
        self.activation = activation

    def forward(self, images: Tensor) -> Tensor:
        """``(n, channels, height, width)`` → logits ``(n, classes)``, float32: softmax or sigmoid gives the mean."""
        total: Tensor | None = None
        count = 0
        for view in views(images, self.kind):
            logits = self.model(view).float()
            shares = logits.softmax(1) if self.activation == "softmax" else logits.sigmoid()
            total = shares if total is None else total + shares
            count += 1
        assert total is not None
        mean = (total / count).clamp(min=torch.finfo(torch.float32).tiny)
        return mean.log() if self.activation == "softmax" else mean.logit(eps=1e-7)


def views(images: Tensor, kind: Views) -> Iterator[Tensor]:
    """The views one after another, each of the images' own shape."""
    yield from _with_mirror(images)
    if kind == "crops":
        for crop in _crops(images):
            yield from _with_mirror(crop)


def with_views(model: nn.Module, section: Inference, activation: Activation) -> nn.Module | None:
    """The model as the recipe wants it to answer; None where it is to answer as it is."""
    return None if section.tta == "none" else TestTimeAugmentation(model, section.tta, activation)


def _with_mirror(images: Tensor) -> Iterator[Tensor]:
    yield images
    yield images.flip(-1)


def _crops(images: Tensor) -> Iterator[Tensor]:
    height, width = images.shape[-2:]
    tall, wide = max(1, round(_CROP * height)), max(1, round(_CROP * width))
    bottom, right = height - tall, width - wide
    for top, left in ((0, 0), (0, right), (bottom, 0), (bottom, right), (bottom // 2, right // 2)):
        part = images[..., top : top + tall, left : left + wide]
        yield F.interpolate(part, size=(height, width), mode="bilinear", align_corners=False)
