"""Style transfer the plain way, for comparison: a frozen VGG-19 cut at its deepest tap, Gram matrices left to autograd,
float32, contiguous tensors, ``torch.optim.LBFGS`` as it comes. It shares no code with the plugin but the weights.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from rich.console import Console
from torch import Tensor, nn

from toolkit.recipe.load import load_text
from toolkit.run.setup import prepare
from vtk_style.inputs import Inputs
from vtk_style.model import StyleModel
from vtk_style.session import Session
from vtk_style.weights import random_parameters

STYLE_WEIGHT = 1e6


class PlainStyle:
    """The article's objective for a content and a style image (1, 3, H, W)."""

    def __init__(self, content: Tensor, style: Tensor, seed: int = 0) -> None:
        device = content.device
        layers: list[nn.Module] = []
        for conv, (weight, bias) in enumerate(random_parameters(5, seed), start=1):
            layer = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1)
            layer.weight.data.copy_(weight)
            layer.bias.data.copy_(bias)  # type: ignore[union-attr]
            layers += [layer, nn.ReLU()] if conv < 5 else [layer]
            if conv in (2, 4):
                layers.append(nn.MaxPool2d(2))
        self.network = nn.Sequential(*layers).to(device).requires_grad_(False)
        self.mean = torch.tensor([0.485, 0.456, 0.406], device=device).view(1, 3, 1, 1)
        self.std = torch.tensor([0.229, 0.224, 0.225], device=device).view(1, 3, 1, 1)
        with torch.no_grad():
            self.content = self.features(content)[3]
            self.grams = [self.gram(f) for f in self.features(style)]

    def features(self, image: Tensor) -> list[Tensor]:
        """The outputs of conv_1 … conv_5."""
        flow, found = (image - self.mean) / self.std, []
        for layer in self.network:
            flow = layer(flow)
            if isinstance(layer, nn.Conv2d):
                found.append(flow)
        return found

    @staticmethod
    def gram(features: Tensor) -> Tensor:
        """F·Fᵀ / (a·b·c·d)."""
        a, b, c, d = features.shape
        rows = features.reshape(a * b, c * d)
        return torch.mm(rows, rows.t()).div(a * b * c * d)

    def loss(self, image: Tensor) -> Tensor:
        """content + 10⁶ · Σ style."""
        found = self.features(image)
        style = sum(F.mse_loss(self.gram(f), a) for f, a in zip(found, self.grams, strict=True))
        return F.mse_loss(found[3], self.content) + STYLE_WEIGHT * style

    def closure(self, image: Tensor, losses: list[float]) -> Callable[[], Tensor]:
        """One evaluation of loss and gradient, as ``torch.optim.LBFGS`` wants it."""

        def evaluate() -> Tensor:
            image.grad = None
            loss = self.loss(image)
            loss.backward()
            losses.append(loss.item())
            return loss.detach()

        return evaluate


def recipe(size: int, **sections: Any) -> Any:
    """A resolved recipe of the plugin for scikit-learn's photographs and random filters, without extensions."""
    base = {
        "task": "style",
        "name": "bench",
        "data": {"content": "sklearn:china.jpg", "styles": ["sklearn:flower.jpg"]},
        "model": {"weights": "random"},
        "pyramid": {"size": size},
        "extensions": dict.fromkeys(["checkpoints", "metrics", "tensorboard", "progress"], False),
    }
    for key, value in sections.items():
        base[key] = {**base.get(key, {}), **value}  # type: ignore[dict-item]
    return load_text(json.dumps(base), name="bench")


def start(size: int, **sections: Any) -> tuple[Any, StyleModel, Inputs]:
    """A run in its first stage, with its model and its pictures."""
    run = prepare(recipe(size, **sections), console=Console(quiet=True))
    run.hook.vtk_stage_start(run=run, stage=run.stages[0])
    model = run.model
    assert isinstance(model, StyleModel)
    return run, model, Session.of(run).inputs


def pair(inputs: Inputs, size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Content and style (1, 3, H, W) of a inputs at a size."""
    return inputs.content_at(size).to(device), inputs.styles_at(size)[0].image.to(device)
