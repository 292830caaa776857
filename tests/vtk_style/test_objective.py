from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from vtk_style.feature_layers import parse_feature_layers
from vtk_style.regions import Region, StyleTarget, style_grams
from vtk_style.vgg import VggFeatures

WEIGHTS = {"content": 1.0, "style": 1e6, "tv": 10.0}
ARTICLE = (("conv_4",), ("conv_1", "conv_2", "conv_3", "conv_4", "conv_5"))
GATYS = (("relu_10",), ("relu_1", "relu_3", "relu_5", "relu_9", "relu_13"))
MIXED = (("conv_2", "relu_3"), ("conv_2", "relu_2", "conv_4", "conv_6"))


def weighted(names, terms):
    return sum(WEIGHTS[name.split("/")[0]] * term for name, term in zip(names, terms, strict=True))


def relative(value, expected):
    return float((value.double() - expected.double()).norm().detach() / expected.detach().double().norm())


# Deep max pooling is compared in float64: between two nearly equal features float32 may pick the other winner, and the
# gradient of a maximum jumps there.
@pytest.mark.parametrize(
    ("taps", "pooling", "size", "dtype", "exact"),
    [
        (ARTICLE, "max", (61, 50), torch.float32, (1e-6, 1e-5)),
        (ARTICLE, "avg", (48, 64), torch.float32, (1e-6, 1e-5)),
        (GATYS, "avg", (80, 67), torch.float32, (1e-6, 1e-5)),
        (GATYS, "max", (67, 80), torch.float64, (1e-12, 1e-11)),
        (MIXED, "max", (37, 41), torch.float64, (1e-12, 1e-11)),
    ],
)
def test_terms_and_gradient_agree_with_the_float64_reference(
    objective, picture, reference, taps, pooling, size, dtype, exact
):
    content, style, image = (picture(*shape, seed=seed).to(dtype) for seed, shape in enumerate([size, (72, 56), size]))
    ours = objective(content, style, *taps, pooling=pooling)
    x = image.clone().requires_grad_()
    terms = ours.terms(x)
    weighted(ours.names, terms).backward()

    depth = max(int(name.split("_")[1]) for group in taps for name in group)
    network = reference.Network(reference.filters(depth), average=pooling == "avg")
    y = image.double().requires_grad_()
    expected = reference.terms(network, y, content, style, *taps)
    weighted(expected, expected.values()).backward()

    for value, wanted in zip(terms.tolist(), expected.values(), strict=True):
        assert value == pytest.approx(wanted.item(), rel=exact[0])
    assert relative(x.grad, y.grad) < exact[1]


@pytest.mark.parametrize(("taps", "side"), [(ARTICLE, 32), (ARTICLE, 16), (GATYS, 32), (MIXED, 16)])
@pytest.mark.parametrize("size", [(53, 71), (48, 64), (33, 34)])
def test_tiles_give_the_whole_image(objective, picture, taps, side, size):
    content, style, image = picture(*size), picture(72, 56, seed=1), picture(*size, seed=2)
    results = []
    for cut in (None, side):
        ours = objective(content, style, *taps, side=cut)
        x = image.clone().requires_grad_()
        terms = ours.terms(x)
        weighted(ours.names, terms).backward()
        results.append((terms.detach(), x.grad))
    assert torch.allclose(results[1][0], results[0][0], rtol=1e-6)
    assert relative(results[1][1], results[0][1]) < 1e-5


@pytest.mark.parametrize("masked", [False, True])
def test_a_styles_gram_matrices_do_not_depend_on_the_tiles(reference, picture, masked):
    taps = parse_feature_layers(["conv_1", "conv_4", "conv_5"])
    vgg, image = VggFeatures(reference.filters(5), taps), picture(75, 90)
    mask = picture(75, 90, seed=4)[0, 0] if masked else None
    whole, tiled = style_grams(vgg, image, taps, mask), style_grams(vgg, image, taps, mask, tile=16)
    for tap in taps:
        assert relative(tiled[tap], whole[tap]) < 1e-6
    if not masked:
        features = reference.Network(reference.filters(5))(image.double().detach())
        assert all(relative(whole[tap], reference.gram(features[str(tap)])) < 1e-6 for tap in taps)


def masked_reference(reference, image, style, mask, weight):
    """Two regions by hand: the masked part takes the style, the rest takes the style turned upside down."""
    network = reference.Network(reference.filters(3))
    found, total = network(image), 0.0
    for target, level in ((style, mask), (style.flip(2) * 0.5, 1 - mask)):
        texture = network(target.double())
        for name in ("conv_1", "conv_3"):
            f = found[name]
            m = level.double() if name == "conv_1" else F.avg_pool2d(level.double()[None, None], 2)[0, 0]
            rows = f.reshape(f.shape[1], -1)
            gram = (rows * m.reshape(1, -1)) @ rows.t() / (f.shape[1] * m.sum())
            area = level.double().mean()
            total = total + weight * area * (gram - reference.gram(texture[name]).detach()).pow(2).mean()
    return total


@pytest.mark.parametrize("side", [None, 16])
def test_regions_agree_with_the_float64_reference(objective, picture, reference, side):
    content, style, image = picture(48, 56), picture(40, 44, seed=1), picture(48, 56, seed=2)
    mask = picture(48, 56, seed=3)[0, 0]
    taps = parse_feature_layers(["conv_1", "conv_3"])
    vgg = VggFeatures(reference.filters(3), taps)
    regions = [
        Region([StyleTarget(1.0, style_grams(vgg, style, taps))], mask),
        Region([StyleTarget(1.0, style_grams(vgg, style.flip(2) * 0.5, taps))], 1 - mask),
    ]
    options = {"regions": regions, "variation": None, "side": side}
    ours = objective(content, style, ("conv_2",), ("conv_1", "conv_3"), **options)
    x = image.clone().requires_grad_()
    value = 1e6 * ours.terms(x)[1:].sum()
    value.backward()
    y = image.double().requires_grad_()
    expected = masked_reference(reference, y, style, mask, 1e6)
    expected.backward()
    assert value.item() == pytest.approx(expected.item(), rel=1e-6)
    assert relative(x.grad, y.grad) < 1e-5
