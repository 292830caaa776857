"""Plain convolutional networks: blocks of convolution, norm, ReLU and pooling, then fully connected layers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from toolkit.errors import ExitCode, VtkError
from toolkit.models.cnn_presets import CnnForm
from toolkit.system.memory import require_room


class Cnn(nn.Module):
    """``(n, in_channels, image_size, image_size)`` → logits ``(n, num_classes)``.

    Raises:
        VtkError: if the image is too small for the blocks.
    """

    def __init__(self, form: CnnForm, *, in_channels: int, image_size: int, num_classes: int) -> None:
        super().__init__()
        side = _side_after(form, image_size)
        dense = [form.channels[-1] * side * side, *form.hidden]
        _require_room([in_channels, *form.channels], form.kernel, [*dense, num_classes])
        self.features = nn.Sequential(*_blocks(form, in_channels))
        self.classifier = nn.Sequential(nn.Flatten(), *_dense(dense, form.dropout, num_classes))

    def forward(self, images: Tensor) -> Tensor:
        """Class scores before the softmax."""
        logits: Tensor = self.classifier(self.features(images))
        return logits

    def get_classifier(self) -> nn.Module:
        """The layer that makes the classes."""
        return self.classifier[-1]


def _require_room(channels: Sequence[int], kernel: int, widths: Sequence[int]) -> None:
    """Refuse a network whose weights and gradients, in float32, do not fit into the memory."""
    weights = sum(before * after * kernel * kernel for before, after in pairwise(channels))
    weights += sum(before * after for before, after in pairwise(widths))
    require_room(
        8.0 * weights,
        f"a network of {weights:,} weights with their gradients",
        "Take smaller model.channels, model.hidden or data.image_size, or more pooling.",
    )


def _blocks(form: CnnForm, in_channels: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after in pairwise((in_channels, *form.channels)):
        layers.append(nn.Conv2d(before, after, form.kernel, padding=form.padding))
        if form.batch_norm:
            layers.append(nn.BatchNorm2d(after))
        layers.append(nn.ReLU(inplace=True))
        if form.pool > 1:
            layers.append(nn.MaxPool2d(form.pool))
    return layers


def _dense(widths: Sequence[int], dropout: float, num_classes: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU(inplace=True)]
    if dropout:
        layers.append(nn.Dropout(dropout))
    return [*layers, nn.Linear(widths[-1], num_classes)]


def _side_after(form: CnnForm, image_size: int) -> int:
    """Side of the feature maps after the last block, in pixels."""
    side = image_size
    for block, _ in enumerate(form.channels, start=1):
        convolved = side + 2 * form.padding - form.kernel + 1
        side = max(convolved, 0) // form.pool
        if side < 1:
            raise VtkError(
                f"images of {image_size}×{image_size} pixels are too small: nothing is left after block {block}",
                place="model",
                hint="take fewer blocks, a smaller kernel or pool, more padding, or a larger data.image_size",
                code=ExitCode.RECIPE,
            )
    return side
