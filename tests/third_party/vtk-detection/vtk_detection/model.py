"""torchvision's FCOS, which makes its own losses, as one module that the common loop can train and judge."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection import FCOS
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.fcos import FCOSHead
from torchvision.ops import FeaturePyramidNetwork

from vtk_detection.data import Target

STRIDES = (8, 16)
_BOXES = 50


class Found(list[Target]):
    """For each picture its `boxes`, `labels` and `scores`; with the losses of the batch where targets were given."""

    losses: dict[str, Tensor]


class Backbone(nn.Module):
    """Pictures to feature maps at strides 8 and 16."""

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.out_channels = channels
        self.stem = nn.Sequential(_halved(3, width), _halved(width, 2 * width))
        self.stages = nn.ModuleList([_halved(2 * width, 4 * width), _halved(4 * width, 8 * width)])
        self.pyramid = FeaturePyramidNetwork([4 * width, 8 * width], channels)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) to maps of (N, channels, H / stride, W / stride)."""
        x, maps = self.stem(images), OrderedDict()
        for number, stage in enumerate(self.stages):
            x = maps[str(number)] = stage(x)
        out: dict[str, Tensor] = self.pyramid(maps)
        return out


def _halved(inputs: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels, stride in ((inputs, 2), (outputs, 1)):
        layers += [nn.Conv2d(channels, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(True)]
    return nn.Sequential(*layers)


class Detector(nn.Module):
    """A list of (picture, target or None) to losses by name while training, in evaluation to :class:`Found`.

    Pictures are float32, (3, height, width), 0..1, each of its own size. torchvision's own ``forward`` gives either
    losses or boxes; validation wants both from one pass.
    """

    def __init__(self, classes: int, size: int, width: int, channels: int) -> None:
        super().__init__()
        self.net = FCOS(
            Backbone(width, channels),
            classes,
            min_size=size,
            max_size=2 * size,
            anchor_generator=AnchorGenerator(tuple((s,) for s in STRIDES), ((1.0,),) * len(STRIDES)),
            head=FCOSHead(channels, 1, classes, num_convs=2),
            score_thresh=0.05,
            detections_per_img=_BOXES,
        )

    def forward(self, samples: list[tuple[Tensor, Target | None]]) -> dict[str, Tensor] | Found:
        net, pictures = self.net, [picture for picture, _ in samples]
        targets = [target for _, target in samples if target is not None]
        images, moved = net.transform(pictures, targets or None)
        features = list(net.backbone(images.tensors).values())
        heads, anchors = net.head(features), net.anchor_generator(images, features)
        places = [feature[0, 0].numel() for feature in features]
        losses: dict[str, Tensor] = net.compute_loss(moved, heads, anchors, places) if targets else {}
        if self.training:
            return losses
        levels = {name: list(values.split(places, dim=1)) for name, values in heads.items()}
        found = net.postprocess_detections(levels, [list(a.split(places)) for a in anchors], images.image_sizes)
        sizes = [(int(picture.shape[-2]), int(picture.shape[-1])) for picture in pictures]
        answers = Found(net.transform.postprocess(found, images.image_sizes, sizes))
        answers.losses = losses
        return answers


def own_losses(output: dict[str, Tensor] | Found, batch: Any) -> dict[str, Tensor]:
    """The loss hook's answer: what the model has found already."""
    return output.losses if isinstance(output, Found) else output


def detect(network: nn.Module, pictures: list[Tensor], score: float) -> list[Target]:
    """Boxes of at least ``score``, best first, for each picture (uint8, (3, height, width)); on the CPU."""
    device = next(network.parameters()).device
    with torch.inference_mode():
        found = network([(picture.to(device).float() / 255, None) for picture in pictures])
    return [{name: part[one["scores"] >= score].cpu() for name, part in one.items()} for one in found]
