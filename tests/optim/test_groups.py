"""Parameter groups: rates and decays as computed by hand, for own, torchvision's and timm's models."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from toolkit.errors import VtkError
from toolkit.optim.groups import depth_factors, parameter_groups, undecayed


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4))
        self.classifier = nn.Linear(4, 2)

    def get_classifier(self) -> nn.Module:
        return self.classifier


def rates(model: nn.Module, groups: list[dict]) -> dict[str, tuple[float, float]]:
    names = {id(p): name for name, p in model.named_parameters()}
    return {names[id(p)]: (group["lr"], group["weight_decay"]) for group in groups for p in group["params"]}


def test_one_group_where_nothing_is_asked_for():
    model = Net()
    (group,) = parameter_groups(model, lr=0.1, weight_decay=0.01)
    assert [id(p) for p in group["params"]] == [id(p) for p in model.parameters()]
    assert (group["lr"], group["weight_decay"]) == (0.1, 0.01)


def test_norms_and_biases_keep_out_of_the_decay():
    model = Net()
    found = rates(model, parameter_groups(model, lr=0.1, weight_decay=0.01, decay_norms_and_biases=False))
    decays = {name for name, (_, decay) in found.items() if decay}
    assert decays == {"features.0.weight", "features.2.weight", "classifier.weight"}
    assert len(found) == len(list(model.parameters()))


def test_rates_fall_from_the_head_to_the_input_as_computed_by_hand():
    model = Net()
    groups = parameter_groups(model, lr=0.1, weight_decay=0.01, layer_decay=0.5)
    by_block = {"classifier": 0.1, "features.2": 0.05, "features.3": 0.05, "features.0": 0.025, "features.1": 0.025}
    for name, (lr, _) in rates(model, groups).items():
        assert lr == pytest.approx(by_block[name.rpartition(".")[0]]), name
    assert [group["lr"] for group in groups] == pytest.approx([0.1, 0.05, 0.025])


def test_frozen_parameters_are_in_no_group_and_do_not_change_the_others_rates():
    model = Net()
    model.features[2].requires_grad_(False)
    found = rates(model, parameter_groups(model, lr=0.1, weight_decay=0.0, layer_decay=0.5))
    assert not any(name.startswith("features.2") for name in found)
    assert found["features.0.weight"][0] == pytest.approx(0.025)


def test_a_timm_transformer_has_one_rate_for_each_block_and_keeps_its_embeddings():
    import timm

    model = timm.create_model("vit_tiny_patch16_224", num_classes=3)
    factors = depth_factors(model, 0.75)
    assert factors["head.weight"] == 1
    assert factors["blocks.11.mlp.fc1.weight"] == pytest.approx(0.75)
    steps = [factors[f"blocks.{i}.attn.qkv.weight"] for i in range(12)]
    assert all(deeper == pytest.approx(shallower / 0.75) for shallower, deeper in pairwise(steps))
    assert factors["patch_embed.proj.weight"] == pytest.approx(steps[0] * 0.75)
    assert {"pos_embed", "cls_token", "norm.weight", "head.bias"} <= undecayed(model)
    assert "blocks.0.attn.qkv.weight" not in undecayed(model)


def test_a_torchvision_resnet_is_cut_by_its_residual_blocks():
    import torchvision

    factors = depth_factors(torchvision.models.resnet18(num_classes=3), 0.8)
    assert factors["fc.weight"] == 1
    assert factors["layer4.1.conv2.weight"] == pytest.approx(0.8)
    assert factors["layer1.0.conv1.weight"] == pytest.approx(0.8**8)
    assert factors["conv1.weight"] == factors["bn1.weight"] == pytest.approx(0.8**9)


def test_every_parameter_of_a_model_is_in_exactly_one_group():
    import timm

    model = timm.create_model("swin_tiny_patch4_window7_224", num_classes=3)
    groups = parameter_groups(model, lr=1.0, weight_decay=0.1, decay_norms_and_biases=False, layer_decay=0.9)
    ids = [id(p) for group in groups for p in group["params"]]
    assert sorted(ids) == sorted(id(p) for p in model.parameters())
    torch.optim.AdamW(groups)


def test_a_model_without_a_head_has_no_depth():
    with pytest.raises(VtkError, match="layer_decay needs to know"):
        parameter_groups(nn.Sequential(nn.Linear(2, 2)), lr=0.1, weight_decay=0.0, layer_decay=0.5)


@pytest.mark.parametrize(
    "name",
    [
        "vit_tiny_patch16_224",
        "deit_tiny_distilled_patch16_224",
        "beit_base_patch16_224",
        "swin_tiny_patch4_window7_224",
        "swinv2_tiny_window8_256",
        "convnext_atto",
        "maxvit_pico_rw_256",
        "levit_128s",
    ],
)
def test_what_timms_models_name_is_not_decayed(name: str):
    """What a model of timm's names in ``no_weight_decay``, and vectors and scalars."""
    import timm

    with torch.device("meta"):
        model = timm.create_model(name, num_classes=3)
    own = model.no_weight_decay() if hasattr(model, "no_weight_decay") else set()
    theirs = {key for key, p in model.named_parameters() if p.ndim <= 1 or key in own}
    ours = undecayed(model)
    assert theirs <= ours
    # Beyond timm's: the tables of positions of those of its models that name none.
    assert all(set(key.split(".")) & {"relative_position_bias_table", "cpb_mlp"} for key in ours - theirs)


@pytest.mark.parametrize(
    ("name", "free"),
    [
        ("vit_b_16", {"class_token", "encoder.pos_embedding"}),
        ("swin_t", {"features.1.0.attn.relative_position_bias_table"}),
        ("swin_v2_t", {"features.1.0.attn.logit_scale", "features.1.0.attn.cpb_mlp.0.weight"}),
        ("convnext_tiny", {"features.1.0.layer_scale"}),
        ("maxvit_t", {"blocks.0.layers.0.layers.window_attention.attn_layer.1.relative_position_bias_table"}),
        ("resnet18", set()),
        ("efficientnet_b0", set()),
    ],
)
def test_torchvisions_scales_tokens_and_positions_are_not_decayed(name: str, free: set[str]):
    import torchvision

    kinds = (nn.Linear, nn.Conv2d, nn.MultiheadAttention)
    with torch.device("meta"):
        model = torchvision.models.get_model(name, weights=None, num_classes=3)
    ours = undecayed(model)
    assert free <= ours
    decayed = {key for key, _ in model.named_parameters()} - ours
    owners = dict(model.named_modules())
    assert all(isinstance(owners[key.rpartition(".")[0]], kinds) for key in decayed), decayed
