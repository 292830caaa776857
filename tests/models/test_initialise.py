"""He's initialisation, by the variances that it promises."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from toolkit.models.initialise import he_normal


def test_weights_have_the_variance_two_over_fan_in_and_biases_are_zero():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(64, 128, 3), nn.BatchNorm2d(128), nn.Linear(500, 300), nn.Linear(40, 400, bias=False)
    )
    he_normal(model)
    for layer, fan_in in ((model[0], 64 * 9), (model[2], 500), (model[3], 40)):
        weight = layer.weight.detach()
        assert float(weight.var()) == pytest.approx(2 / fan_in, rel=0.05)
        assert float(weight.mean()) == pytest.approx(0, abs=3 * (2 / fan_in) ** 0.5 / weight.numel() ** 0.5)
        assert layer.bias is None or not layer.bias.detach().any()
    assert (model[1].weight == 1).all()


def test_signals_keep_their_size_through_forty_layers():
    torch.manual_seed(0)
    layers = [layer for _ in range(40) for layer in (nn.Linear(256, 256), nn.ReLU())]
    model, signal = nn.Sequential(*layers), torch.randn(64, 256)
    with torch.no_grad():
        assert float(model(signal).square().mean()) < 1e-3
        he_normal(model)
        assert 0.1 < float(model(signal).square().mean()) < 10


def test_the_head_is_left_as_it_is():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 2))
    before = model[1].weight.detach().clone(), model[1].bias.detach().clone()
    he_normal(model, head=model[1])
    assert torch.equal(model[1].weight, before[0])
    assert torch.equal(model[1].bias, before[1])
    assert not model[0].bias.detach().any()
