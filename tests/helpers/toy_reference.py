"""A plain PyTorch loop over the toy task's data, the reference for the toolkit's."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from toy_task import NoisyNumbers

from toolkit.data.loading.sampler import SampleOrder


def reference_epochs(seed: int, epochs: int, batch_size: int) -> torch.Tensor:
    """Weights, flattened, after SGD with momentum 0.9 and rate 0.01 on the toy data."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, fused=True)
    data = NoisyNumbers(64, 0.1)
    order = SampleOrder(len(data), batch_size=batch_size, seed=seed, shuffle=True)
    assert not np.array_equal(order.samples(0), order.samples(1))
    for epoch in range(epochs):
        model.train()
        for indices in order.one_pass(epoch):
            samples = [data[i] for i in indices]
            x, y = torch.stack([s.inputs for s in samples]), torch.stack([s.targets for s in samples])
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()
    return torch.cat([p.detach().reshape(-1) for p in model.parameters()])
