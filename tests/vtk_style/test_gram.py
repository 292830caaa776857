from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vtk_style.gram import add_gram_gradient, gram_matrix
from vtk_style.losses import content_loss, style_loss, total_variation


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 2), st.integers(1, 9), st.integers(1, 7), st.integers(1, 7), st.integers(0, 99))
def test_the_definition(a, b, c, d, seed):
    features = torch.randn(a, b, c, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    rows = features.reshape(a * b, c * d)
    expected = torch.einsum("ik,jk->ij", rows, rows) / (a * b * c * d)
    assert torch.allclose(gram_matrix(features), expected, rtol=1e-12)
    assert torch.allclose(gram_matrix(features.contiguous(memory_format=torch.channels_last)), expected, rtol=1e-12)


def test_a_mask_of_ones_changes_nothing_and_a_mask_cuts_out():
    features = torch.randn(1, 5, 6, 8, dtype=torch.float64)
    assert torch.allclose(gram_matrix(features, torch.ones(6, 8)), gram_matrix(features), rtol=1e-12)
    left = torch.zeros(6, 8, dtype=torch.float64)
    left[:, :3] = 1
    assert torch.allclose(gram_matrix(features, left), gram_matrix(features[..., :3]), rtol=1e-12)


@pytest.mark.parametrize("masked", [False, True])
def test_the_closed_form_gradient_is_that_of_autograd(masked):
    features = torch.randn(1, 6, 5, 7, dtype=torch.float64, requires_grad=True)
    target = torch.randn(6, 6, dtype=torch.float64)
    target = target + target.t()
    mask = torch.rand(5, 7, dtype=torch.float64) if masked else None
    (gram_matrix(features, mask) - target).square().mean().backward()
    count = 35 if mask is None else mask.sum()
    factor = 4 * (gram_matrix(features.detach(), mask) - target) / (36 * 6 * count)
    for layout in (torch.contiguous_format, torch.channels_last):
        start = torch.randn(1, 6, 5, 7, dtype=torch.float64).contiguous(memory_format=layout)
        added = start.clone()
        add_gram_gradient(added, features.detach(), factor, mask)
        assert torch.allclose(added, start + features.grad, rtol=1e-10)


def test_half_precision_features_are_summed_in_float32():
    features = 1 + torch.rand(1, 4, 256, 256)
    exact = gram_matrix(features.double())
    assert gram_matrix(features.bfloat16()).dtype == torch.float32
    assert torch.allclose(gram_matrix(features.bfloat16()).double(), exact, rtol=4e-3)


def test_terms_by_their_definitions():
    f, p = torch.randn(1, 3, 4, 5), torch.randn(1, 3, 4, 5)
    assert content_loss(f, p).item() == pytest.approx(
        sum((x - y) ** 2 for x, y in zip(f.flatten().tolist(), p.flatten().tolist(), strict=True)) / 60
    )
    target = gram_matrix(p)
    expected = (gram_matrix(f) - target).flatten().tolist()
    assert style_loss(gram_matrix(f), target).item() == pytest.approx(sum(v * v for v in expected) / 9, rel=1e-5)


def test_total_variation_of_a_ramp_and_a_checkerboard():
    ramp = torch.arange(5.0).expand(1, 3, 4, 5)
    assert total_variation(ramp).item() == pytest.approx(1.0)
    assert total_variation(2 * ramp, "l1").item() == pytest.approx(2.0)
    board = ((torch.arange(4)[:, None] + torch.arange(5)) % 2).float().expand(1, 3, 4, 5)
    assert total_variation(board).item() == pytest.approx(2.0)
    assert total_variation(torch.rand(1, 3, 1, 1)).item() == 0.0
