from __future__ import annotations

import pytest
import torch

from toolkit import ExitCode, VtkError
from vtk_style.feature_layers import FeatureLayer, parse_feature_layers, receptive_field, stride_at


@pytest.mark.parametrize(
    ("name", "tap"),
    [
        ("conv_1", FeatureLayer(1)),
        ("conv_16", FeatureLayer(16)),
        ("relu_4", FeatureLayer(4, "relu")),
        ("conv1_1", FeatureLayer(1)),
        ("conv2_2", FeatureLayer(4)),
        ("relu4_2", FeatureLayer(10, "relu")),
        ("relu5_4", FeatureLayer(16, "relu")),
    ],
)
def test_both_ways_of_counting(name, tap):
    assert parse_feature_layers([name])[0] == tap


@pytest.mark.parametrize(
    "name", ["conv_0", "conv_17", "conv3_5", "conv6_1", "relu0_1", "pool_1", "Conv_1", "conv_1 ", ""]
)
def test_a_layer_that_there_is_not_is_refused_with_the_names_that_there_are(name):
    with pytest.raises(VtkError, match="no layer") as caught:
        parse_feature_layers([name])[0]
    assert caught.value.code is ExitCode.RECIPE
    assert "conv_16" in str(caught.value.hint)


def test_a_layer_named_twice_is_refused():
    with pytest.raises(VtkError, match="twice"):
        parse_feature_layers(["conv_3", "conv2_1"])


def seen_by(network, tap, side=256):
    """Extent of the pixels that the middle feature depends on, measured with gradients."""
    image = torch.full((1, 3, side, side), 0.5, dtype=torch.float64, requires_grad=True)
    features = network(image + torch.rand(1, 3, side, side, dtype=torch.float64))[str(tap)]
    middle = features.shape[-1] // 2
    features[0, :, middle, middle].sum().backward()
    rows = image.grad.abs().sum((0, 1, 3)).nonzero()
    return int(rows.min()), int(rows.max()), middle * stride_at(tap.conv)


@pytest.mark.parametrize(
    ("name", "size", "halo"), [("conv_5", 24, 12), ("conv_4", 14, 6), ("conv_1", 3, 1), ("conv_13", 156, 80)]
)
def test_receptive_field_and_halo(reference, name, size, halo):
    tap = parse_feature_layers([name])[0]
    field = receptive_field([tap, FeatureLayer(1)])
    assert (field.size, field.halo) == (size, halo)
    network = reference.Network(reference.filters(tap.conv), average=True)
    first, last, cell = seen_by(network, tap)
    assert last - first + 1 <= field.size
    assert cell - first <= field.reach
    assert last - (cell + field.stride - 1) <= field.reach
