"""The model: an image that is its own and only parameter, over a frozen network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from vtk_style.buffers import apart_like
from vtk_style.objective import Objective
from vtk_style.vgg import VggFeatures


class StyleModel(nn.Module):
    """Gives the loss terms of its image.

    Attributes:
        image: the parameter, (3, H, W), in [0, 1] at the end and unclamped on the way.
        good: the last image whose terms were all finite; saved with the checkpoints.
        vgg: the frozen network.
        objective: what the image is held against; a stage sets it.
    """

    good: Tensor

    def __init__(self, vgg: VggFeatures) -> None:
        super().__init__()
        self.vgg = vgg
        self.objective: Objective | None = None
        self.image = nn.Parameter(torch.zeros(3, 1, 1))
        self.register_buffer("good", torch.zeros(3, 1, 1))

    @property
    def picture(self) -> Tensor:
        """The image as (1, 3, H, W), without gradient, as it is."""
        return self.image.detach().unsqueeze(0)

    def begin(self, image: Tensor, objective: Objective) -> None:
        """Take an image (1, 3, H, W) and what it is held against; the parameter is a new one."""
        self.image = nn.Parameter(apart_like(image[0]).copy_(image[0].detach()))
        self.good = apart_like(self.image).copy_(self.image.detach())
        self.objective = objective

    def release(self) -> None:
        """Let go of what only steps need; the picture stays."""
        self.objective = None
        self.image.grad = None

    @torch.no_grad()
    def restore_good(self) -> None:
        """Go back to the last image whose terms were finite."""
        self.image.copy_(self.good)

    def forward(self, _inputs: Any = None) -> dict[str, Tensor]:
        """The unweighted terms by name. Under autocast the convolutions run in its type, everything else in float32."""
        assert self.objective is not None, "no stage has begun"
        kind = self.image.device.type
        self.objective.dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None
        with torch.autocast(kind, enabled=False):
            terms = self.objective.terms(self.image.unsqueeze(0))
        if bool(torch.isfinite(terms.detach()).all()):
            self.good.copy_(self.image.detach())
        return dict(zip(self.objective.names, terms.unbind(), strict=True))


def weighted_terms(content: float, style: float, tv: float) -> Callable[[Mapping[str, Tensor], Any], dict[str, Tensor]]:
    """A loss over :class:`StyleModel`'s output: each term times its weight, by the same names."""
    weights = {"content": content, "style": style, "tv": tv}

    def loss(output: Mapping[str, Tensor], _batch: Any) -> dict[str, Tensor]:
        return {name: weights[name.split("/")[0]] * term for name, term in output.items()}

    return loss
