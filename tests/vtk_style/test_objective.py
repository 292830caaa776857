from __future__ import annotations

import pytest
import torch

WEIGHTS = {"content": 1.0, "style": 1e6, "tv": 10.0}
ARTICLE = (("conv_4",), ("conv_1", "conv_2", "conv_3", "conv_4", "conv_5"))
GATYS = (("relu_10",), ("relu_1", "relu_3", "relu_5", "relu_9", "relu_13"))
MIXED = (("conv_2", "relu_3"), ("conv_2", "relu_2", "conv_4", "conv_6"))


def weighted(names, terms):
    return sum(WEIGHTS[name.split("/")[0]] * term for name, term in zip(names, terms, strict=True))


def relative(value, expected):
    return float((value.double() - expected.double()).norm() / expected.double().norm())


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


@pytest.mark.parametrize(("taps", "side"), [(ARTICLE, 32), (ARTICLE, 16), (GATYS, 48), (MIXED, 8)])
@pytest.mark.parametrize("size", [(97, 131), (64, 100), (33, 34)])
def test_tiles_give_the_whole_image(objective, picture, taps, side, size):
    content, style, image = picture(*size), picture(72, 56, seed=1), picture(*size, seed=2)
    results = []
    for cut in (None, side):
        ours = objective(content, style, *taps, side=cut)
        x = image.clone().requires_grad_()
        terms = ours.terms(x)
        weighted(ours.names, terms).backward()
        results.append((terms.detach(), x.grad))
    assert torch.allclose(results[1][0], results[0][0], rtol=2e-6)
    assert relative(results[1][1], results[0][1]) < 1e-5
