"""Backbones by name: which library a name means, heads of the right size, weights or a clear refusal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file

from toolkit.errors import ExitCode, VtkError
from toolkit.models.backbones import create, preprocessing, published, resolve


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("resnet18", "torchvision:resnet18"),
        ("torchvision:resnet18", "torchvision:resnet18"),
        ("timm:resnet18", "timm:resnet18"),
        ("resnet18.a1_in1k", "timm:resnet18.a1_in1k"),
        ("test_vit", "timm:test_vit"),
        ("swin_t", "torchvision:swin_t"),
    ],
)
def test_a_plain_name_is_torchvisions_where_it_has_one(name: str, meaning: str) -> None:
    assert str(resolve(name)) == meaning


@pytest.mark.parametrize(
    ("name", "near"),
    [("resnt18", "resnet18"), ("timm:resnet18.nope", "resnet18"), ("torchvision:vitb16", "vit_b_16")],
)
def test_an_unknown_name_gets_the_nearest_ones(name: str, near: str) -> None:
    with pytest.raises(VtkError) as caught:
        resolve(name)
    assert caught.value.code == ExitCode.RECIPE
    assert near in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["hf-hub:timm/resnet18.a1_in1k", "os.path", "torchvision:fasterrcnn_resnet50_fpn"])
def test_names_come_from_registries_alone(name: str) -> None:
    with pytest.raises(VtkError, match="no backbone is called"):
        resolve(name)


@pytest.mark.parametrize("name", ["resnet18", "timm:test_resnet", "mobilenet_v3_small", "squeezenet1_1", "test_vit"])
def test_the_head_has_one_output_a_class(name: str) -> None:
    built = create(name, num_classes=7, image_size=64)
    assert built.model.eval()(torch.zeros(2, 3, 64, 64)).shape == (2, 7)
    assert built.notes == []


def test_dropout_leaves_the_names_of_parameters_alone_and_drops_in_training_only() -> None:
    plain = create("resnet18", num_classes=3, image_size=32).model
    dropped = create("resnet18", num_classes=3, image_size=32, dropout=0.5).model
    assert plain.state_dict().keys() == dropped.state_dict().keys()
    dropped.load_state_dict(plain.state_dict())
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(plain.eval()(images), dropped.eval()(images))
    dropped.fc.train()
    assert not torch.equal(dropped(images), dropped(images))


@pytest.mark.parametrize("name", ["efficientnet_b0", "mobilenet_v3_small", "alexnet", "squeezenet1_1"])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_dropout_takes_the_place_of_torchvisions_own(name: str, dropout: float) -> None:
    with torch.device("meta"):
        model = create(f"torchvision:{name}", num_classes=2, image_size=224, dropout=dropout).model
    assert {module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)} == {dropout}


def branch_rates(name: str, drop_path: float) -> list[float]:
    """With what probability each residual branch is left out."""
    with torch.device("meta"):
        model = create(name, num_classes=2, image_size=224, drop_path=drop_path).model
    kinds = {torchvision.ops.StochasticDepth: "p", timm.layers.DropPath: "drop_prob"}
    return [float(getattr(m, kinds[type(m)])) for m in model.modules() if type(m) in kinds]


@pytest.mark.parametrize(
    "name",
    [
        "timm:test_vit",
        "timm:swin_tiny_patch4_window7_224",
        "timm:nest_tiny",
        "torchvision:swin_t",
        "torchvision:convnext_tiny",
        "torchvision:efficientnet_b0",
    ],
)
def test_drop_path_is_the_largest_rate_of_the_branches_whatever_a_library_takes_by_itself(name: str) -> None:
    assert max(branch_rates(name, 0.3)) == pytest.approx(0.3)
    assert not any(branch_rates(name, 0.0))


def test_torchvisions_branches_are_left_out_the_more_the_deeper_they_are() -> None:
    own = [m.p for m in torchvision.models.swin_t().modules() if isinstance(m, torchvision.ops.StochasticDepth)]
    assert branch_rates("torchvision:swin_t", max(own)) == pytest.approx(own)


def test_a_network_without_branches_to_leave_out_says_so_where_it_is_asked_to() -> None:
    assert branch_rates("timm:vgg11", 0.0) == branch_rates("resnet18", 0.0) == []
    for name in ("resnet18", "timm:vgg11"):
        with pytest.raises(VtkError, match="no drop_path"):
            create(name, num_classes=2, image_size=224, drop_path=0.1)


def test_an_image_size_that_a_network_cannot_take_is_a_clear_error() -> None:
    with pytest.raises(VtkError, match="cannot take images of 32×32") as caught:
        create("inception_v3", num_classes=2, image_size=32)
    assert "299" in (caught.value.hint or "")
    with pytest.raises(VtkError, match="cannot take images of 100×100"):
        create("vit_b_16", num_classes=2, image_size=100)


def published_resnet(hub: Path) -> dict[str, torch.Tensor]:
    """Writes a file where torchvision's weights of ResNet-18 would be, and returns what it holds."""
    torch.manual_seed(5)
    state = torchvision.models.resnet18().state_dict()
    torch.save(state, hub / "resnet18-f37072fd.pth")
    return state


def test_torchvisions_weights_are_loaded_but_for_the_head(hub: Path, no_network: None) -> None:
    state = published_resnet(hub)
    download = published("resnet18")
    assert download is not None
    assert download.cached is not None
    model = create("resnet18", num_classes=2, image_size=64, pretrained=True).model
    own = model.state_dict()
    assert all(torch.equal(own[name], state[name]) for name in state if not name.startswith("fc."))
    assert own["fc.weight"].shape == (2, 512)


def test_timms_weights_are_loaded_but_for_the_head(
    in_hugging_face_cache: Callable[[str, Path], None], tmp_path: Path, no_network: None
) -> None:
    torch.manual_seed(5)
    state = timm.create_model("test_vit").state_dict()
    save_file(state, tmp_path / "file")
    in_hugging_face_cache("timm/test_vit.r160_in1k", tmp_path / "file")
    model = create("test_vit", num_classes=2, image_size=160, pretrained=True).model
    own = model.state_dict()
    assert all(torch.equal(own[name], state[name]) for name in state if not name.startswith("head."))
    assert own["head.weight"].shape[0] == 2
    assert "state_dict" not in model.pretrained_cfg


@pytest.mark.parametrize("name", ["resnet18", "timm:test_resnet"])
def test_weights_that_cannot_be_fetched_are_an_error_with_two_ways_out(name: str, hub: Path, no_network: None) -> None:
    with pytest.raises(VtkError, match="cannot be fetched") as caught:
        create(name, num_classes=2, image_size=64, pretrained=True)
    assert caught.value.code == ExitCode.UNAVAILABLE
    assert "model.weights: FILE" in (caught.value.hint or "")
    assert "model.pretrained: false" in (caught.value.hint or "")


def test_auto_trains_from_scratch_where_nothing_can_be_fetched_and_says_so(hub: Path, no_network: None) -> None:
    built = create("resnet18", num_classes=2, image_size=64, pretrained="auto")
    assert len(built.notes) == 1
    assert "cannot be fetched" in built.notes[0]
    assert "untrained" in built.notes[0]


def test_auto_takes_weights_that_are_there(hub: Path, no_network: None) -> None:
    state = published_resnet(hub)
    built = create("resnet18", num_classes=2, image_size=64, pretrained="auto")
    assert (built.notes, built.start) == ([], "pretrained")
    assert torch.equal(built.model.state_dict()["conv1.weight"], state["conv1.weight"])


def test_a_damaged_file_in_the_cache_is_named_even_for_auto(hub: Path, no_network: None) -> None:
    (hub / "resnet18-f37072fd.pth").write_bytes(b"half")
    with pytest.raises(VtkError, match="damaged") as caught:
        create("resnet18", num_classes=2, image_size=64, pretrained="auto")
    assert "resnet18-f37072fd.pth" in str(caught.value)


def test_a_model_without_published_weights_says_so() -> None:
    assert published("timm:efficientnet_cc_b0_4e") is None
    with pytest.raises(VtkError, match="nobody has published"):
        create("timm:efficientnet_cc_b0_4e", num_classes=2, image_size=160, pretrained=True)


def test_a_local_file_replaces_the_weights(tmp_path: Path) -> None:
    torch.manual_seed(5)
    state = torchvision.models.resnet18(num_classes=9).state_dict()
    torch.save({"state_dict": state}, tmp_path / "w.pth")
    built = create("resnet18", num_classes=2, image_size=64, weights=tmp_path / "w.pth")
    assert built.start == f"weights of {tmp_path / 'w.pth'}"
    own = built.model.state_dict()
    assert all(torch.equal(own[name], state[name]) for name in state if not name.startswith("fc."))
    with_head = create("resnet18", num_classes=9, image_size=64, weights=tmp_path / "w.pth").model.state_dict()
    assert torch.equal(with_head["fc.weight"], state["fc.weight"])


def test_a_file_of_another_architecture_is_refused(tmp_path: Path) -> None:
    torch.save(torchvision.models.resnet34(num_classes=2).state_dict(), tmp_path / "w.pth")
    with pytest.raises(VtkError, match="do not fit the model") as caught:
        create("resnet18", num_classes=2, image_size=64, weights=tmp_path / "w.pth")
    assert "unknown: layer1.2.conv1.weight" in str(caught.value)


def test_positions_of_a_transformer_follow_the_image_size(tmp_path: Path) -> None:
    torch.save(timm.create_model("test_vit", num_classes=2).state_dict(), tmp_path / "w.pth")
    model = create("test_vit", num_classes=2, image_size=96, weights=tmp_path / "w.pth").model.eval()
    assert model(torch.zeros(1, 3, 96, 96)).shape == (1, 2)


def test_preprocessing_is_the_weights_own() -> None:
    assert preprocessing("resnet18").mean == (0.485, 0.456, 0.406)
    assert preprocessing("vit_tiny_patch16_224").mean == (0.5, 0.5, 0.5)
    assert preprocessing("inception_v3").image_size == 299
