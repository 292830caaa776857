from __future__ import annotations

import pytest
import torch

from vtk_style.color import coloured_noise, luma, match_covariance, match_luma, with_luma


def pixels(image):
    return image.double().reshape(3, -1)


def test_covariance_matching_gives_the_contents_mean_and_covariance(picture):
    content, style = picture(40, 50), 1 - 0.6 * picture(33, 61, seed=1) ** 2
    matched = pixels(match_covariance(style, content))
    wanted = pixels(content)
    assert torch.allclose(matched.mean(1), wanted.mean(1), atol=1e-6)
    # The ridge that makes singular covariances safe is 1e-6.
    assert torch.allclose(torch.cov(matched), torch.cov(wanted), atol=3e-6)


def test_covariance_matching_survives_grey_and_constant_pictures(picture):
    grey = luma(picture(20, 20)).expand(1, 3, 20, 20)
    for style, content in ((grey, picture(20, 20, seed=1)), (torch.full((1, 3, 9, 9), 0.5), grey)):
        assert torch.isfinite(match_covariance(style, content)).all()


def test_luma_matching_gives_mean_and_deviation(picture):
    content, style = picture(30, 30), 0.3 * picture(25, 40, seed=2)
    matched = match_luma(style, content)
    assert luma(matched).mean().item() == pytest.approx(luma(content).mean().item(), abs=1e-5)
    assert luma(matched).std().item() == pytest.approx(luma(content).std().item(), abs=1e-5)


def chroma(image):
    """Cb and Cr of Rec. 601, and I and Q of the 1953 NTSC system, all from the same luma."""
    r, g, b = pixels(image)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    i, q = 0.74 * (r - y) - 0.27 * (b - y), 0.48 * (r - y) + 0.41 * (b - y)
    return torch.stack([0.564 * (b - y), 0.713 * (r - y), i, q])


def test_replacing_luma_keeps_the_chroma_of_ycbcr_and_yiq(picture):
    colours, other = picture(6, 7), picture(6, 7, seed=3)
    result = with_luma(colours, luma(other))
    assert torch.allclose(luma(result), luma(other), atol=1e-6)
    assert torch.allclose(chroma(result), chroma(colours), atol=1e-6)


def test_noise_with_the_statistics_of_a_picture(picture):
    like = picture(40, 40) * torch.tensor([1.0, 0.6, 0.2]).view(1, 3, 1, 1)
    noise = pixels(coloured_noise(like, (200, 200), torch.Generator().manual_seed(0)))
    assert torch.allclose(noise.mean(1), pixels(like).mean(1), atol=5e-3)
    assert torch.allclose(torch.cov(noise), torch.cov(pixels(like)), atol=2e-3)
