"""Rates and decays that differ between parameters, as the recipe's optimizer asks for them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from toolkit.errors import VtkError
from toolkit.optim.optimizer_sections import LBFGS, SGD, Adam, AdamW
from toolkit.optim.optimizers import build_optimizer, make_optimizer
from toolkit.optim.schedule_sections import Cosine
from toolkit.run.loop import fit, learning_rates
from toolkit.run.run import Run
from toolkit.types.progress import Stage

MakeRun = Callable[..., Run]


class Net(nn.Module):
    """Two blocks and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Linear(4, 4)
        self.two = nn.Linear(4, 4)
        self.head = nn.Linear(4, 2)

    def get_classifier(self) -> nn.Module:
        return self.head


def stage(optimizer: Any, schedule: Any = None) -> Stage:
    return Stage(0, "s", 10, None, None, optimizer, schedule or Cosine(name="cosine"), None, batches=5)


def test_lbfgs_takes_channels_last_gradients() -> None:
    torch.manual_seed(0)
    net = nn.Conv2d(3, 4, 3)
    images = torch.randn(2, 3, 8, 8)

    def steps(channels_last: bool) -> torch.Tensor:
        own = copy.deepcopy(net)
        if channels_last:
            own.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = make_optimizer(LBFGS(lr=0.1), list(own.parameters()))

        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            loss = own(images).square().mean()
            loss.backward()
            return loss

        for _ in range(3):
            optimizer.step(closure)
        return own.weight.detach().contiguous()

    assert torch.allclose(steps(True), steps(False), atol=1e-6)


@pytest.mark.parametrize("section", [SGD, Adam, AdamW])
def test_layer_decay_gives_each_depth_its_own_rate(section: Any) -> None:
    setup = build_optimizer(Net(), stage(section(lr=0.1, layer_decay=0.5)))
    assert [group["lr"] for group in setup.optimizer.param_groups] == pytest.approx([0.1, 0.05, 0.025])
    assert learning_rates(setup.optimizer) == pytest.approx({"lr": 0.1, "lr_slowest": 0.025})


def test_the_schedule_scales_each_rate_and_raises_none() -> None:
    section = AdamW(lr=0.1, layer_decay=0.1)
    setup = build_optimizer(Net(), stage(section, Cosine(name="cosine", eta_min=0.005)))
    before = [group["lr"] for group in setup.optimizer.param_groups]
    for _ in range(10):
        setup.scheduler.step()
        rates = [group["lr"] for group in setup.optimizer.param_groups]
        assert all(now <= was + 1e-12 for now, was in zip(rates, before, strict=True))
    assert rates == pytest.approx([0.005, 0.005, 0.001])


def test_biases_do_not_shrink_where_only_weights_decay() -> None:
    model = Net()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1.0)
    section = AdamW(lr=0.1, weight_decay=0.5, decay_norms_and_biases=False)
    optimizer = build_optimizer(model, stage(section)).optimizer
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    assert (model.one.weight == 1 - 0.1 * 0.5).all()
    assert (model.one.bias == 1).all()


def test_a_choice_without_effect_is_refused() -> None:
    with pytest.raises(ValueError, match="no effect without weight_decay"):
        SGD(decay_norms_and_biases=False)
    with pytest.raises(ValueError, match="layer_decay"):
        LBFGS(layer_decay=0.5)  # type: ignore[call-arg]


def test_a_model_without_depth_cannot_decay_by_layers() -> None:
    with pytest.raises(VtkError, match="layer_decay needs to know the model's depth"):
        build_optimizer(nn.Sequential(nn.Linear(2, 2)), stage(AdamW(layer_decay=0.5)))


def test_the_gradient_norm_is_logged_without_clipping(make_run: MakeRun) -> None:
    def trained(*sets: str) -> dict[str, float]:
        run = make_run("train.epochs=1", *sets)
        fit(run)
        return run.history[0]

    plain, logged, clipped = trained(), trained("train.log_grad_norm=true"), trained("train.clip_norm=1e6")
    assert "train/grad_norm" not in plain
    assert logged["train/grad_norm"] == pytest.approx(clipped["train/grad_norm"])
    assert logged["train/loss"] == plain["train/loss"]
