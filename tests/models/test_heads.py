"""Heads and blocks, against what is known of the architectures."""

from __future__ import annotations

import pytest
import timm
import torch
import torchvision
from torch import nn

from toolkit.models.heads import blocks, head_parameters, heads

HEADS = {
    "resnet18": "fc",
    "vgg11": "classifier.6",
    "densenet121": "classifier",
    "mobilenet_v3_small": "classifier.3",
    "squeezenet1_1": "classifier.1",
    "vit_b_16": "heads.head",
    "swin_t": "head",
    "convnext_tiny": "classifier.2",
    "shufflenet_v2_x0_5": "fc",
    "regnet_y_400mf": "fc",
    "maxvit_t": "classifier.5",
    "mnasnet0_5": "classifier.1",
    "efficientnet_b0": "classifier.1",
    "googlenet": "fc",
}


def shape_only(name: str) -> nn.Module:
    """A classifier of torchvision with three outputs, without memory for its weights where that can be."""
    arguments = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    with torch.device("cpu" if name.startswith("regnet") else "meta"):
        model: nn.Module = torchvision.models.get_model(name, num_classes=3, **arguments)
    return model


@pytest.mark.parametrize(("name", "head"), HEADS.items())
def test_heads_of_torchvision(name: str, head: str) -> None:
    found = heads(shape_only(name))
    assert list(found) == [head]
    assert getattr(found[head], "out_features", getattr(found[head], "out_channels", None)) == 3


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("test_resnet", ["fc"]),
        ("test_vit", ["head"]),
        ("test_efficientnet", ["classifier"]),
        ("deit_tiny_distilled_patch16_224", ["head", "head_dist"]),
    ],
)
def test_heads_of_timm(name: str, found: list[str]) -> None:
    model = timm.create_model(name, num_classes=3)
    assert list(heads(model)) == found
    assert head_parameters(model)[:2] == [f"{found[0]}.weight", f"{found[0]}.bias"]


def test_a_foreign_model_without_a_head_is_refused() -> None:
    with pytest.raises(LookupError, match="get_classifier"):
        heads(nn.Sequential(nn.Linear(2, 2)))


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1", "timm:test_vit", "timm:test_efficientnet", "swin_t"])
def test_every_parameter_is_in_exactly_one_block_and_the_head_in_the_last(name: str) -> None:
    model = timm.create_model(name[5:]) if name.startswith("timm:") else shape_only(name)
    groups = blocks(model)
    together = [name for group in groups for name in group]
    assert sorted(together) == sorted(name for name, _ in model.named_parameters())
    assert set(head_parameters(model)) <= set(groups[-1])
    assert all(groups)


def test_the_blocks_of_a_resnet_are_its_residual_blocks() -> None:
    groups = blocks(shape_only("resnet18"))
    assert groups[0] == ["conv1.weight", "bn1.weight", "bn1.bias"]
    assert [group[0].rpartition(".conv1")[0] for group in groups[1:-1]] == [
        f"layer{stage}.{block}" for stage in (1, 2, 3, 4) for block in (0, 1)
    ]
    assert groups[-1] == ["fc.weight", "fc.bias"]


def test_what_a_transformer_holds_directly_belongs_to_its_stem() -> None:
    groups = blocks(shape_only("vit_b_16"))
    assert {"class_token", "encoder.pos_embedding", "conv_proj.weight"} <= set(groups[0])
    assert len(groups) == 1 + 12 + 1
