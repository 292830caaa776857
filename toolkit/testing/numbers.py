"""A task for tests of extensions: least squares on numbers in memory, some milliseconds an epoch.

Noise in the samples and dropout in the model make every draw matter: a run that an extension disturbs ends elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from toolkit import Batch, Data, Recipe, Section, hookimpl

if TYPE_CHECKING:
    from torch import nn

NAME = "numbers"


class NumbersData(Section):
    """What is drawn."""

    count: int = Field(default=48, ge=1, description="Training samples.")
    noise: float = Field(default=0.1, ge=0, description="Noise that each draw adds to a training sample.")
    hold_out: bool = Field(default=True, description="Whether there is a validation split.")


class NumbersModel(Section):
    """What learns."""

    dropout: float = Field(default=0.2, ge=0, lt=1, description="Dropout.")


class NumbersRecipe(Recipe):
    """The toolkit's sections and two of the task's own."""

    data: NumbersData = Field(default_factory=NumbersData, description="What is drawn.")
    model: NumbersModel = Field(default_factory=NumbersModel, description="What learns.")


class NoisyNumbers:
    """Sample i is a fixed vector of 4 numbers plus noise of its own draw; the target is a linear function of it."""

    thread_safe = True

    def __init__(self, count: int, noise: float) -> None:
        import numpy as np

        self.x = np.random.default_rng(count).standard_normal((count, 4)).astype(np.float32)
        self.y = self.x @ np.array([[1.0], [-2.0], [0.5], [3.0]], np.float32)
        self.noise = noise

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: Any) -> Batch:
        noise = index.rng().standard_normal(4).astype("float32") * self.noise
        return Batch(self.x[index] + noise, self.y[index])


class Numbers:
    """The hooks."""

    @hookimpl
    def vtk_config(self) -> type[Recipe]:
        """Data and model."""
        return NumbersRecipe

    @hookimpl
    def vtk_data(self, recipe: NumbersRecipe) -> Data:
        """Two splits at most."""
        held_out = NoisyNumbers(20, 0.0) if recipe.data.hold_out else None
        return Data(train=NoisyNumbers(recipe.data.count, recipe.data.noise), val=held_out, meta={"features": 4})

    @hookimpl
    def vtk_model(self, recipe: NumbersRecipe) -> nn.Module:
        """Two layers."""
        from torch import nn

        return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(recipe.model.dropout), nn.Linear(8, 1))

    @hookimpl
    def vtk_loss(self) -> Any:
        """Squared error."""
        from torch.nn.functional import mse_loss

        return lambda output, batch: mse_loss(output, batch.targets)

    @hookimpl
    def vtk_metrics(self) -> Any:
        """Absolute error."""
        from torchmetrics import MeanAbsoluteError, MetricCollection

        return MetricCollection({"mae": MeanAbsoluteError()})


plugin = Numbers()
