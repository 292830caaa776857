"""A task whose batches lie ready in memory, for measuring everything else."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from toolkit import Batch, Data, Recipe, hookimpl

BATCH = 32


class ReadyBatches:
    """``__getitems__`` hands out batches made beforehand."""

    in_memory = True

    def __init__(self, batches: int) -> None:
        generator = torch.Generator().manual_seed(0)
        self.ready = [
            Batch(torch.randn(BATCH, 16, generator=generator), torch.randint(0, 4, (BATCH,), generator=generator))
            for _ in range(batches)
        ]

    def __len__(self) -> int:
        return len(self.ready) * BATCH

    def __getitems__(self, indices: Any) -> Batch:
        return self.ready[int(indices.indices[0]) // BATCH]

    def model(self) -> nn.Module:
        """Two small layers."""
        return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))


class ReadyTask:
    """Hooks of the ready task."""

    data = ReadyBatches(2000)

    @hookimpl
    def vtk_config(self) -> type[Recipe]:
        return Recipe

    @hookimpl
    def vtk_data(self, recipe: Any, run: Any) -> Data:
        return Data(train=self.data)

    @hookimpl
    def vtk_model(self, recipe: Any, data: Data) -> nn.Module:
        return self.data.model()

    @hookimpl
    def vtk_loss(self, recipe: Any, data: Data) -> Any:
        return lambda output, batch: nn.functional.cross_entropy(output, batch[1])


plugin = ReadyTask()
