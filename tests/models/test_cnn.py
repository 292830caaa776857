"""Plain networks: the presets to the layer, with parameter counts worked out by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from toolkit.errors import ExitCode, VtkError
from toolkit.labelled_images.model_sections import CnnModel
from toolkit.models.cnn import Cnn
from toolkit.models.cnn_presets import PRESETS, CnnForm, Preset
from toolkit.models.heads import heads

# Per layer: outputs x (inputs x kernel area) weights and one bias an output.
BY_HAND = {
    # conv 1-16 3x3, conv 16-32 3x3, fc 32*7*7-128, fc 128-10
    "mnist": (1, 28, 10, (16 * 9 + 16) + (32 * 16 * 9 + 32) + (1568 * 128 + 128) + (128 * 10 + 10)),
    # conv 3-16, 16-32, 32-64 3x3, fc 64*28*28-512, fc 512-2
    "catsdogs": (
        3,
        224,
        2,
        (16 * 27 + 16) + (32 * 144 + 32) + (64 * 288 + 64) + (50176 * 512 + 512) + (512 * 2 + 2),
    ),
    # conv 3-16, 16-32 3x3, fc 32*8*8-512, fc 512-10
    "cifar10": (3, 32, 10, (16 * 27 + 16) + (32 * 144 + 32) + (2048 * 512 + 512) + (512 * 10 + 10)),
    # conv 3-6, 6-16 5x5, fc 400-120, 120-84, 84-10
    "lenet": (3, 32, 10, (6 * 75 + 6) + (16 * 150 + 16) + (400 * 120 + 120) + (120 * 84 + 84) + (84 * 10 + 10)),
}
LAYERS = {
    "mnist": "Conv2d ReLU MaxPool2d Conv2d ReLU MaxPool2d Flatten Linear ReLU Dropout Linear",
    "catsdogs": "Conv2d ReLU MaxPool2d Conv2d ReLU MaxPool2d Conv2d ReLU MaxPool2d Flatten Linear ReLU Dropout Linear",
    "cifar10": "Conv2d ReLU MaxPool2d Conv2d ReLU MaxPool2d Flatten Linear ReLU Linear",
    "lenet": "Conv2d ReLU MaxPool2d Conv2d ReLU MaxPool2d Flatten Linear ReLU Linear ReLU Linear",
}


def build(preset: Preset) -> Cnn:
    channels, size, classes, _ = BY_HAND[preset]
    return Cnn(PRESETS[preset], in_channels=channels, image_size=size, num_classes=classes)


def leaves(model: nn.Module) -> list[nn.Module]:
    return [module for module in model.modules() if not list(module.children())]


@pytest.mark.parametrize("preset", PRESETS)
def test_parameters_are_those_counted_by_hand(preset: Preset) -> None:
    assert sum(p.numel() for p in build(preset).parameters()) == BY_HAND[preset][3]


def test_the_totals_as_the_recipes_print_them() -> None:
    totals = {preset: count for preset, (*_, count) in BY_HAND.items()}
    assert totals == {"mnist": 206_922, "catsdogs": 25_715_234, "cifar10": 1_059_306, "lenet": 62_006}


@pytest.mark.parametrize("preset", PRESETS)
def test_layers_are_in_order(preset: Preset) -> None:
    assert " ".join(type(layer).__name__ for layer in leaves(build(preset))) == LAYERS[preset]


@pytest.mark.parametrize(("preset", "share"), [("mnist", 0.25), ("catsdogs", 0.5)])
def test_dropout_is_the_articles(preset: Preset, share: float) -> None:
    assert [layer.p for layer in leaves(build(preset)) if isinstance(layer, nn.Dropout)] == [share]


@pytest.mark.parametrize("preset", ["mnist", "cifar10", "lenet"])
def test_one_score_a_class(preset: Preset) -> None:
    channels, size, classes, _ = BY_HAND[preset]
    assert build(preset)(torch.zeros(3, channels, size, size)).shape == (3, classes)


def test_the_head_is_the_last_layer() -> None:
    model = build("lenet")
    assert list(heads(model)) == ["classifier.5"]


def test_a_recipes_keys_replace_the_presets() -> None:
    section = CnnModel(name="cnn", preset="cifar10", batch_norm=True, dropout=0.5)
    assert section.form() == CnnForm((16, 32), hidden=(512,), dropout=0.5, batch_norm=True)
    model = Cnn(section.form(), in_channels=3, image_size=32, num_classes=10)
    # Two norms with a scale and a shift for each channel.
    assert sum(p.numel() for p in model.parameters()) == BY_HAND["cifar10"][3] + 2 * (16 + 32)
    names = [type(layer).__name__ for layer in leaves(model)]
    assert names[:4] == ["Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d"]


@pytest.mark.parametrize(
    ("form", "size", "flat"),
    [
        (CnnForm((4,), kernel=5, padding=0, pool=3), 20, 4 * 5 * 5),
        (CnnForm((4, 8), kernel=3, padding=1, pool=1), 6, 8 * 6 * 6),
        (CnnForm((4, 8, 16), kernel=1, padding=0), 9, 16 * 1 * 1),
    ],
)
def test_the_first_dense_layer_fits_what_the_blocks_leave(form: CnnForm, size: int, flat: int) -> None:
    model = Cnn(form, in_channels=1, image_size=size, num_classes=2)
    assert model.classifier[1].in_features == flat
    assert model(torch.zeros(1, 1, size, size)).shape == (1, 2)


def test_without_hidden_layers_the_features_go_straight_to_the_classes() -> None:
    model = Cnn(CnnForm((4,), hidden=()), in_channels=1, image_size=4, num_classes=3)
    assert [type(layer).__name__ for layer in model.classifier] == ["Flatten", "Linear"]


def test_an_image_that_is_too_small_is_named() -> None:
    with pytest.raises(VtkError, match=r"4×4 pixels are too small: nothing is left after block 3"):
        Cnn(PRESETS["catsdogs"], in_channels=3, image_size=4, num_classes=2)
    with pytest.raises(VtkError, match="after block 2"):
        Cnn(PRESETS["lenet"], in_channels=3, image_size=12, num_classes=2)


@pytest.mark.parametrize(
    "form",
    [
        CnnForm(channels=(4,), hidden=(1_000_000, 1_000_000)),
        CnnForm(channels=(1_000_000, 1_000_000)),
        CnnForm(channels=(1_000_000,), pool=1, hidden=(1_000_000,)),
    ],
    ids=["hidden", "channels", "flat"],
)
def test_a_network_that_would_fill_the_memory_is_refused_before_it_does(form: CnnForm) -> None:
    with pytest.raises(VtkError, match=r"a network of [0-9,]+ weights with their gradients would take") as caught:
        Cnn(form, in_channels=3, image_size=32, num_classes=10)
    assert caught.value.code == ExitCode.OUT_OF_MEMORY
