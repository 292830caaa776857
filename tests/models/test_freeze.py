"""Freezing: what is frozen does not change by a bit, its running statistics included."""

from __future__ import annotations

import pytest
import timm
import torch
from torch import nn

from toolkit.errors import ExitCode, VtkError
from toolkit.models.freeze import matching, set_train_mode, train_all, train_head, train_only


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return timm.create_model("test_resnet", num_classes=3)


def train_a_little(model: nn.Module) -> None:
    set_train_mode(model)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.randn(4, 3, 64, 64)).square().sum().backward()
        optimizer.step()


def test_a_frozen_backbone_keeps_every_bit_of_weights_and_running_statistics(model: nn.Module) -> None:
    train_head(model)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    train_a_little(model)
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {"fc.weight", "fc.bias"}


def test_a_norm_that_trains_keeps_learning_its_statistics(model: nn.Module) -> None:
    train_only(model, matching(model, ["layer4", "head"]))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    train_a_little(model)
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert "layer4.0.bn1.running_mean" in changed
    assert {name.split(".")[0] for name in changed} == {"layer4", "fc"}


def test_dropout_still_drops_in_a_frozen_network() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Dropout(0.5))
    model.requires_grad_(False)
    set_train_mode(model)
    assert not model[1].training
    assert model[2].training


@pytest.mark.parametrize("frozen", [True, False])
def test_a_norm_without_parameters_goes_by_its_module(frozen: bool) -> None:
    model = nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2, affine=False)), nn.Linear(2, 2))
    model[0].requires_grad_(not frozen)
    set_train_mode(model)
    assert model[0][1].training is not frozen


def test_training_all_again_thaws_everything(model: nn.Module) -> None:
    train_head(model)
    train_all(model)
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_counts_of_a_resnet18_with_a_new_head() -> None:
    import torchvision

    model = torchvision.models.resnet18(num_classes=2)
    train_head(model)
    # 512 weights and a bias for each of two classes; the known size of ResNet-18 less its head of 1,000 classes.
    sizes = [(parameter.requires_grad, parameter.numel()) for parameter in model.parameters()]
    assert sum(size for trains, size in sizes if trains) == 2 * 513
    assert sum(size for trains, size in sizes if not trains) == 11_689_512 - 1000 * 513


def test_patterns_name_parameters_or_the_modules_they_are_in(model: nn.Module) -> None:
    assert matching(model, ["layer4"]) == matching(model, ["layer4.*"])
    assert matching(model, ["head"]) == ["fc.weight", "fc.bias"]
    assert matching(model, ["*.bias"]) == [name for name, _ in model.named_parameters() if name.endswith(".bias")]
    assert matching(model, ["fc", "conv1"])[-2:] == ["fc.weight", "fc.bias"]


def test_a_pattern_that_fits_nothing_is_an_error_with_the_nearest_names(model: nn.Module) -> None:
    with pytest.raises(VtkError, match=r"'layr4\.\*'") as caught:
        matching(model, ["fc", "layr4.*"], place="stages.train")
    assert "layer4" in (caught.value.hint or "")
    assert caught.value.place == "stages.train"
    assert caught.value.code == ExitCode.RECIPE
