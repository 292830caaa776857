"""A second, independent implementation of the definitions, in float64 and left to autograd."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from io import StringIO
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from rich.console import Console
from torch import Tensor, nn

from toolkit.recipe.load import load_text
from toolkit.run.runner import execute
from toolkit.run.setup import prepare
from vtk_style.feature_layers import parse_feature_layers, receptive_field
from vtk_style.objective import Objective
from vtk_style.reading import read_picture
from vtk_style.regions import Region, StyleTarget, style_grams
from vtk_style.tiling import Tiling
from vtk_style.vgg import VggFeatures
from vtk_style.weights import random_parameters

_PLAN = [64, 64, "M", 128, 128, "M", 256, 256, 256, 256, "M", 512, 512, 512, 512, "M", 512, 512, 512, 512]


class ReferenceNetwork(nn.Module):
    """VGG-19 as a plain list of torch modules, with every convolution's and ReLU's output by name."""

    def __init__(self, parameters: Sequence[tuple[Tensor, Tensor]], average: bool = False) -> None:
        super().__init__()
        self.names: list[str] = []
        self.layers = nn.ModuleList()
        channels, conv = 3, 0
        for item in _PLAN:
            if item == "M":
                self.layers.append(nn.AvgPool2d(2) if average else nn.MaxPool2d(2))
                self.names.append("pool")
                continue
            if conv == len(parameters):
                break
            layer = nn.Conv2d(channels, int(item), 3, padding=1).double()
            layer.weight.data.copy_(parameters[conv][0])
            layer.bias.data.copy_(parameters[conv][1])
            channels, conv = int(item), conv + 1
            self.layers.extend([layer, nn.ReLU()])
            self.names.extend([f"conv_{conv}", f"relu_{conv}"])

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        mean = torch.tensor([0.485, 0.456, 0.406], dtype=torch.float64).view(1, 3, 1, 1)
        std = torch.tensor([0.229, 0.224, 0.225], dtype=torch.float64).view(1, 3, 1, 1)
        flow, found = (image - mean) / std, {}
        for name, layer in zip(self.names, self.layers, strict=True):
            flow = layer(flow)
            found[name] = flow
        return found


def reference_gram(features: Tensor) -> Tensor:
    a, b, c, d = features.shape
    flat = features.reshape(a * b, c * d)
    return flat @ flat.t() / (a * b * c * d)


def reference_terms(
    network: ReferenceNetwork,
    image: Tensor,
    content: Tensor,
    style: Tensor,
    content_taps: Sequence[str],
    style_taps: Sequence[str],
) -> dict[str, Tensor]:
    """Every term as the definitions say, of float64 images (1, 3, H, W)."""
    found, wanted, texture = network(image), network(content.double()), network(style.double())
    terms = {f"content/{name}": F.mse_loss(found[name], wanted[name].detach()) for name in content_taps}
    for name in style_taps:
        target = reference_gram(texture[name]).detach()
        terms[f"style/{name}"] = (reference_gram(found[name]) - target).pow(2).mean()
    dx, dy = image[..., 1:] - image[..., :-1], image[..., 1:, :] - image[..., :-1, :]
    terms["tv"] = dx.pow(2).mean() + dy.pow(2).mean()
    return terms


@cache
def all_filters() -> list[tuple[Tensor, Tensor]]:
    return random_parameters(13, 0)


def filters(depth: int) -> list[tuple[Tensor, Tensor]]:
    """Seeded random filters; those of a shallower network are the first of a deeper one."""
    return all_filters()[:depth]


@pytest.fixture(scope="session")
def reference() -> SimpleNamespace:
    return SimpleNamespace(Network=ReferenceNetwork, terms=reference_terms, gram=reference_gram, filters=filters)


@pytest.fixture
def picture() -> Callable[..., Tensor]:
    """A smooth random image (1, 3, H, W) in [0, 1]."""

    def make(height: int, width: int, seed: int = 0) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        coarse = torch.rand(1, 3, height // 4 + 2, width // 4 + 2, generator=generator)
        smooth = F.interpolate(coarse, size=(height, width), mode="bilinear")
        return (0.8 * smooth + 0.2 * torch.rand(1, 3, height, width, generator=generator)).clamp(0, 1)

    return make


@pytest.fixture
def objective() -> Callable[..., Objective]:
    """An objective over random filters, for a content and a style image."""

    def make(
        content: Tensor,
        style: Tensor,
        content_taps: Sequence[str] = ("conv_4",),
        style_taps: Sequence[str] = ("conv_1", "conv_2", "conv_3", "conv_4", "conv_5"),
        **options: Any,
    ) -> Objective:
        contents, styles = parse_feature_layers(content_taps), parse_feature_layers(style_taps)
        taps = {*contents, *styles}
        field = receptive_field(taps)
        parameters = filters(max(tap.conv for tap in taps))
        vgg = VggFeatures(parameters, taps, options.pop("pooling", "max")).to(content.dtype)
        height, width = content.shape[-2:]
        side = options.pop("side", None)
        tiling = Tiling(height, width, side, field) if side else Tiling.whole(height, width, field)
        regions = options.pop("regions", None)
        if regions is None:
            regions = [Region([StyleTarget(1.0, style_grams(vgg, style, styles))])]
        targets = {tap: vgg(content)[tap] for tap in contents}
        return Objective(vgg, tiling, targets, styles, regions, options.pop("variation", "l2"))

    return make


TINY = {
    "data": {"content": "sklearn:china.jpg", "styles": ["sklearn:flower.jpg"]},
    "model": {"weights": "random", "content_layers": ["conv_2"], "style_layers": ["conv_1", "conv_2", "conv_3"]},
    "pyramid": {"size": 48, "steps": 6, "levels": 1},
    "train": {"device": "cpu", "precision": "fp32"},
    "extensions": {"tensorboard": False},
}


@dataclass
class Made:
    """A finished run: its directory, what it said, and its picture (1, 3, H, W)."""

    directory: Path
    said: str

    @property
    def image(self) -> Tensor:
        return read_picture(str(self.directory / "result.png")).tensor()


@pytest.fixture
def style(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Made]:
    """Runs a small recipe in a folder of its own, with some sections changed; ``whole`` adds the report."""
    monkeypatch.chdir(tmp_path)
    counter = count()

    def run(**changes: Any) -> Made:
        whole, resolved = changes.pop("whole", False), changes.pop("resolved", None)
        recipe = {"task": "style", "name": "tiny"}
        for key in {*TINY, *changes}:
            base, change = TINY.get(key), changes.get(key)
            recipe[key] = {**base, **(change or {})} if isinstance(base, dict) else change
            if key in changes and change is None:
                del recipe[key]
        out = tmp_path / f"run-{next(counter)}"
        console = Console(file=StringIO(), width=200)
        try:
            resolved = resolved or load_text(json.dumps(recipe), name="tiny")
            if whole:
                execute(resolved, console=console, out=out)
            else:
                out.mkdir()
                started = prepare(resolved, console=console, directory=out)
                started.hook.vtk_fit(run=started)
        finally:
            run.said = console.file.getvalue()  # type: ignore[attr-defined]
        return Made(out, console.file.getvalue())  # type: ignore[attr-defined]

    return run
