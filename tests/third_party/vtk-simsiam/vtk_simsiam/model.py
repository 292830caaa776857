"""SimSiam: a backbone, a projection and a predictor, and what keeps them from collapsing."""

from __future__ import annotations

from typing import Any

import torch
import torchvision
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, normalize
from torchmetrics import Metric

from toolkit import ExitCode, VtkError

_LIST = "`python -c 'import timm; print(*timm.list_models())'` lists them"


class SimSiam(nn.Module):
    """(N, 2, 3, H, W) to (N, 4, D): the predictions of both views, then their projections."""

    def __init__(self, arch: str, projection: int, prediction: int) -> None:
        super().__init__()
        self.backbone, features = build_backbone(arch)
        self.projector = nn.Sequential(
            nn.Linear(features, projection, bias=False),
            nn.BatchNorm1d(projection),
            nn.ReLU(True),
            nn.Linear(projection, projection, bias=False),
            nn.BatchNorm1d(projection, affine=False),
        )
        self.predictor = nn.Sequential(
            nn.Linear(projection, prediction, bias=False),
            nn.BatchNorm1d(prediction),
            nn.ReLU(True),
            nn.Linear(prediction, projection),
        )

    def forward(self, views: Tensor) -> Tensor:
        projected = [self.projector(self.backbone(views[:, i])) for i in range(2)]
        return torch.stack([*map(self.predictor, projected), *projected], 1)


def build_backbone(arch: str) -> tuple[nn.Module, int]:
    """An untrained network from pictures to features, (N, D), and D. Its parameters are called as in its library.

    Raises:
        VtkError: timm has no network of that name.
    """
    library, _, name = arch.rpartition(":")
    if library == "timm":
        import timm

        if not timm.is_model(name):
            raise VtkError(f"timm has no network called {name!r}", place="model.arch", hint=_LIST, code=ExitCode.RECIPE)
        network: Any = timm.create_model(name, num_classes=0)
        return network, int(network.num_features)
    network = torchvision.models.get_model(name, weights=None)
    features = int(network.fc.in_features)
    network.fc = nn.Identity()
    return network, features


def likeness(output: Tensor, batch: Any) -> Tensor:
    """-1 where each view's prediction is the other's projection, whose gradient is stopped (equations 3 and 4)."""
    predicted, projected = output[:, :2], output[:, 2:].detach().flip(1)
    return -cosine_similarity(predicted, projected, dim=-1).mean()


class Spread(Metric):
    """Deviation of the normalised projections over samples, times √D: 0 where all pictures look alike, at most 1."""

    higher_is_better = True
    full_state_update = False

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.tensor(0.0), "sum")
        self.add_state("batches", torch.tensor(0), "sum")

    def update(self, output: Tensor, targets: Any) -> None:
        """Outputs of :class:`SimSiam`."""
        unit = normalize(output[:, 2], dim=1)
        self.total += unit.std(0, unbiased=False).mean() * unit.shape[1] ** 0.5
        self.batches += 1

    def compute(self) -> Tensor:
        """The mean over the updates."""
        return self.total / self.batches
