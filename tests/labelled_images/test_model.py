"""From a recipe's model section to a network, and what trains in a stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from toolkit import Data
from toolkit.errors import VtkError
from toolkit.labelled_images.model import build_model, planned_download, set_trainable
from toolkit.labelled_images.model_sections import BackboneModel, CnnModel, ImageStage

META = {"classes": ["a", "b", "c"], "channels": 3, "image_size": 32}


def backbone(**keys: Any) -> BackboneModel:
    return BackboneModel(name="backbone", **{"arch": "timm:test_resnet", "pretrained": False, **keys})


def trainable(model: torch.nn.Module) -> set[str]:
    return {name.rpartition(".")[0] for name, p in model.named_parameters() if p.requires_grad}


def test_meta_says_classes_channels_and_size() -> None:
    section = CnnModel(name="cnn", channels=[4])
    model = build_model(section, Data(meta=META | {"channels": 1}))
    assert model(torch.zeros(2, 1, 32, 32)).shape == (2, 3)
    assert build_model(backbone(), Data(meta=META)).eval()(torch.zeros(2, 3, 32, 32)).shape == (2, 3)


def test_a_cnn_needs_channels_or_a_preset() -> None:
    with pytest.raises(ValidationError, match="a preset or channels"):
        CnnModel(name="cnn")


def test_pretrained_and_weights_exclude_each_other() -> None:
    with pytest.raises(ValidationError, match="either pretrained or weights"):
        backbone(pretrained=True, weights="w.pt")
    assert backbone(pretrained=None).wants_pretrained is True
    assert backbone(pretrained=None, weights="w.pt").wants_pretrained is False


def test_backbones_refuse_grey_images() -> None:
    with pytest.raises(VtkError, match="colour images") as caught:
        build_model(backbone(), Data(meta=META | {"channels": 1}))
    assert caught.value.place == "data.grey"


def test_restoring_fetches_and_reads_nothing(hub: Path, no_network: None) -> None:
    data = Data(meta=META, restored=True)
    build_model(backbone(pretrained=True), data)
    build_model(backbone(weights="/no/such/file.pt"), data)


def test_a_missing_weights_file_is_named() -> None:
    with pytest.raises(VtkError, match="no such weights file"):
        build_model(backbone(weights="/no/such/file.pt"), Data(meta=META))


def test_the_model_carries_what_the_user_should_know(hub: Path, no_network: None) -> None:
    model: Any = build_model(backbone(pretrained="auto"), Data(meta=META))
    assert len(model.notes) == 1
    assert "untrained" in model.notes[0]


def test_what_would_be_downloaded(hub: Path) -> None:
    assert "resnet18-f37072fd.pth, 45 MB" in (planned_download(backbone(arch="resnet18", pretrained=None)) or "")
    assert "timm/test_resnet.r160_in1k" in (planned_download(backbone(pretrained="auto")) or "")
    (hub / "resnet18-f37072fd.pth").touch()
    for nothing in (
        backbone(arch="resnet18", pretrained=True),
        backbone(),
        backbone(pretrained=None, weights="w.pt"),
        CnnModel(name="cnn", preset="lenet"),
    ):
        assert planned_download(nothing) is None


@pytest.mark.parametrize(
    ("freeze", "train", "expected"),
    [
        ("backbone", None, {"fc"}),
        ("none", "head", {"fc"}),
        ("backbone", ["layer4.*", "head"], None),
    ],
)
def test_a_stage_trains_what_it_says_or_else_what_the_model_says(freeze: Any, train: Any, expected: Any) -> None:
    section = backbone(freeze=freeze)
    model = build_model(section, Data(meta=META))
    set_trainable(model, section, ImageStage(epochs=1, train=train))
    found = trainable(model)
    assert found == expected if expected else {name.split(".")[0] for name in found} == {"layer4", "fc"}


def test_a_later_stage_thaws_what_an_earlier_one_froze() -> None:
    section = backbone(freeze="backbone")
    model = build_model(section, Data(meta=META))
    set_trainable(model, section, ImageStage(epochs=1, train="head"))
    set_trainable(model, section, ImageStage(epochs=1, train="all"))
    assert all(p.requires_grad for p in model.parameters())
    set_trainable(model, section, None)
    assert trainable(model) == {"fc"}


def test_a_pattern_that_fits_nothing_names_the_stage() -> None:
    section = backbone()
    with pytest.raises(VtkError, match="no parameter fits") as caught:
        set_trainable(build_model(section, Data(meta=META)), section, ImageStage(name="top", epochs=1, train=["x"]))
    assert caught.value.place == "stages[top].train"
