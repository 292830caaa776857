"""The average equals its recurrence, computed by hand in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from toolkit.models.ema import Ema


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 2))


def train(network: nn.Module, ema: Ema, steps: int) -> list[dict[str, np.ndarray]]:
    """Random steps; the weights after each."""
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
    history = []
    for step in range(steps):
        images = torch.randn(4, 1, 4, 4, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        network(images).square().mean().backward()
        optimizer.step()
        ema.update()
        history.append({n: t.detach().numpy().astype(np.float64).copy() for n, t in network.state_dict().items()})
    return history


@pytest.mark.parametrize("warmup", [False, True])
def test_weights_and_running_statistics_follow_the_recurrence(warmup):
    network = model()
    ema = Ema(network, 0.9, warmup=warmup)
    expected = {n: t.numpy().astype(np.float64).copy() for n, t in network.state_dict().items()}
    for t, weights in enumerate(train(network, ema, 30), start=1):
        decay = min(0.9, (1 + t) / (10 + t)) if warmup else 0.9
        for name, value in weights.items():
            expected[name] = decay * expected[name] + (1 - decay) * value
    for name, tensor in ema.average.state_dict().items():
        if name.endswith("num_batches_tracked"):
            assert int(tensor) == 30
        else:
            np.testing.assert_allclose(tensor.numpy(), expected[name], rtol=2e-6, atol=1e-7)


def test_the_followed_model_is_not_touched_and_the_average_never_trains():
    network, alone = model(), model()
    history = train(network, Ema(network, 0.9), 5)
    for name, tensor in alone.state_dict().items():
        assert tensor.shape == history[-1][name].shape
    ema = Ema(network, 0.5)
    before = {n: t.clone() for n, t in network.state_dict().items()}
    ema.update()
    assert all(torch.equal(before[n], t) for n, t in network.state_dict().items())
    assert not ema.average.training
    assert not any(p.requires_grad for p in ema.average.parameters())


def test_the_decay_of_the_warm_up_rises_to_the_one_asked_for():
    ema = Ema(model(), 0.99)
    assert ema.decay_at(1) == pytest.approx(2 / 11)
    assert ema.decay_at(10_000) == 0.99
