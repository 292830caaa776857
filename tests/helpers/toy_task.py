"""The smallest task that trains: least squares on numbers in memory, with noise in the data and in the model.

Dropout and per-sample noise make every draw matter, so a run that resumes wrongly ends elsewhere.
"""

from __future__ import annotations

from typing import Any

import torch
from pydantic import Field
from torch import nn

from toolkit import Batch, Data, Recipe, Section, StageSection, hookimpl


class ToyData(Section):
    """What is drawn."""

    count: int = Field(64, ge=1, description="Training samples.")
    noise: float = Field(0.1, ge=0, description="Noise that each draw adds to a training sample.")
    poison_at: int | None = Field(None, description="Sample whose target is NaN.")


class ToyModel(Section):
    """What learns."""

    dropout: float = Field(0.2, ge=0, lt=1, description="Dropout.")
    batch_norm: bool = Field(False, description="Put a batch norm in front.")


class ToyStage(StageSection):
    """A stage with something of its own."""

    note: str = Field("", description="Recorded at the start of the stage.")


class ToyRecipe(Recipe):
    """Core sections and two of its own."""

    data: ToyData = Field(default_factory=ToyData, description="The data.")
    model: ToyModel = Field(default_factory=ToyModel, description="The model.")
    stages: list[ToyStage] = Field(default_factory=list, description="Stages.")


class NoisyNumbers:
    """Sample i is a fixed vector plus noise from the sample's own generator."""

    thread_safe = True

    def __init__(self, count: int, noise: float, poison_at: int | None = None) -> None:
        generator = torch.Generator().manual_seed(count)
        self.x = torch.randn(count, 4, generator=generator)
        self.y = self.x @ torch.tensor([[1.0], [-2.0], [0.5], [3.0]])
        self.noise = noise
        if poison_at is not None:
            self.y[poison_at] = float("nan")

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: Any) -> Batch:
        noise = torch.from_numpy(index.rng().standard_normal(4)).float() * self.noise
        return Batch(self.x[index] + noise, self.y[index])


class ToyTask:
    """Hooks of the toy task."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    @hookimpl
    def vtk_config(self) -> type[Recipe]:
        return ToyRecipe

    @hookimpl
    def vtk_data(self, recipe: Any, run: Any) -> Data:
        train = NoisyNumbers(recipe.data.count, recipe.data.noise, recipe.data.poison_at)
        return Data(train=train, val=NoisyNumbers(20, 0.0), meta={"features": 4})

    @hookimpl
    def vtk_model(self, recipe: Any, data: Data) -> nn.Module:
        norm = [nn.BatchNorm1d(4)] if recipe.model.batch_norm else []
        return nn.Sequential(*norm, nn.Linear(4, 8), nn.ReLU(), nn.Dropout(recipe.model.dropout), nn.Linear(8, 1))

    @hookimpl
    def vtk_loss(self, recipe: Any, data: Data) -> Any:
        return lambda output, batch: nn.functional.mse_loss(output, batch.targets)

    @hookimpl
    def vtk_metrics(self, recipe: Any, data: Data) -> Any:
        from torchmetrics import MeanAbsoluteError, MetricCollection

        return MetricCollection({"mae": MeanAbsoluteError()})

    @hookimpl
    def vtk_stage_start(self, run: Any, stage: Any) -> None:
        if stage.section is not None:
            run.plugin_state("toy", notes=[])["notes"].append(stage.section.note)


plugin = ToyTask()
