from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vtk_style.pyramid import fitted, level_sizes, refined, resized, shared_steps


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(16, 4000))
def test_the_longer_side_is_as_asked_and_the_aspect_stays(height, width, longer):
    h, w = fitted((height, width), longer)
    assert max(h, w) == longer
    assert min(h, w) == max(1, round(longer * min(height, width) / max(height, width)))


def test_levels_double_and_leave_out_what_is_too_small():
    assert level_sizes(512, 3) == [128, 256, 512]
    assert level_sizes(100, 3) == [100]
    assert level_sizes(300, 1) == [300]


@given(st.integers(1, 3000), st.integers(1, 8))
def test_steps_add_up_and_fall_with_the_size(steps, levels):
    parts = shared_steps(steps, levels)
    assert sum(parts) == max(steps, levels)
    assert parts == sorted(parts, reverse=True)


def test_the_content_itself_is_carried_to_the_next_size_without_loss(picture):
    fine = picture(64, 96)
    coarse = resized(fine, (32, 48))
    assert torch.allclose(refined(coarse, coarse, fine), fine, atol=1e-6)


def test_a_change_at_the_coarse_size_stays_and_fine_detail_comes_back(picture):
    fine = picture(64, 64)
    coarse = resized(fine, (32, 32))
    result = refined(coarse + 0.1, coarse, fine)
    assert torch.allclose(result, fine + 0.1, atol=1e-5)


@pytest.mark.parametrize("size", [(8, 8), (90, 20)])
def test_a_constant_picture_stays_constant(size):
    assert torch.allclose(resized(torch.full((1, 3, 40, 30), 0.4), size), torch.full((1, 3, *size), 0.4), atol=1e-5)
