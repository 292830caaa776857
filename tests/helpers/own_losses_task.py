"""The toy task as detectors have it: the model is fed inputs with targets, and gives its losses while it trains."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import Metric, MetricCollection
from toy_task import NoisyNumbers, ToyTask

from toolkit import Batch, Data, hookimpl


class OwnLosses(nn.Module):
    """(numbers, target) pairs to losses while training, else to an answer for each, as long as its target."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 1)

    def forward(self, samples: list[tuple[Tensor, Tensor]]) -> Any:
        answers = [self.layer(numbers).expand(len(target)) for numbers, target in samples]
        if not self.training:
            return [{"value": answer.double()} for answer in answers]
        errors = torch.cat(answers) - torch.cat([target for _, target in samples])
        return {"squares": (errors**2).mean(), "size": 1e-3 * (self.layer.weight**2).sum()}


class ListError(Metric):
    """The mean absolute error over lists of answers."""

    higher_is_better = False

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.tensor(0.0), "sum")
        self.add_state("count", torch.tensor(0), "sum")

    def update(self, outputs: list[Any], targets: list[Tensor]) -> None:
        for output, target in zip(outputs, targets, strict=True):
            assert output["value"].dtype == torch.float32
            self.total += (output["value"] - target).abs().sum()
            self.count += len(target)

    def compute(self) -> Tensor:
        return self.total / self.count


def join(samples: list[Batch]) -> Batch:
    """Sample i has one to three targets."""
    pairs = [(one.inputs, one.targets.expand(1 + place % 3)) for place, one in enumerate(samples)]
    return Batch(pairs, [target for _, target in pairs])


def loss(output: Any, batch: Batch) -> dict[str, Tensor]:
    """The model's own while it trains."""
    if isinstance(output, dict):
        return output
    errors = torch.cat([one["value"].float() for one in output]) - torch.cat(batch.targets)
    return {"squares": (errors**2).mean()}


class OwnLossesTask(ToyTask):
    """Hooks of the task."""

    @hookimpl
    def vtk_data(self, recipe: Any, run: Any) -> Data:
        return Data(train=NoisyNumbers(32, 0.0), val=NoisyNumbers(20, 0.0), collate=join)

    @hookimpl
    def vtk_model(self, recipe: Any, data: Data) -> nn.Module:
        return OwnLosses()

    @hookimpl
    def vtk_loss(self, recipe: Any, data: Data) -> Any:
        return loss

    @hookimpl
    def vtk_metrics(self, split: str) -> Any:
        return None if split == "train" else MetricCollection({"error": ListError()})


plugin = OwnLossesTask()
