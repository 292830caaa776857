"""Views at test time: the mean of probabilities, given back as logits."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from toolkit.labelled_images.tta import TestTimeAugmentation, views, with_views


class LeftAndRight(nn.Module):
    """Two outputs: the brightness of the left and of the right half."""

    def forward(self, images: Tensor) -> Tensor:
        half = images.shape[-1] // 2
        return 4 * torch.stack([images[..., :half].mean((1, 2, 3)), images[..., half:].mean((1, 2, 3))], dim=1)


@pytest.fixture
def images() -> Tensor:
    return torch.rand(5, 3, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_the_mirror_is_averaged_in(images: Tensor, activation: str) -> None:
    model = LeftAndRight()
    act = (lambda x: x.softmax(1)) if activation == "softmax" else torch.sigmoid
    expected = (act(model(images)) + act(model(images.flip(-1)))) / 2
    found = TestTimeAugmentation(model, "mirror", activation)(images)
    torch.testing.assert_close(act(found), expected)


def test_crops_are_twelve_views_of_the_images_size(images: Tensor) -> None:
    found = list(views(images, "crops"))
    assert len(found) == 12
    assert all(view.shape == images.shape for view in found)
    assert torch.equal(found[1], images.flip(-1))
    corners = [images[..., :14, :14], images[..., :14, 2:], images[..., 2:, :14], images[..., 2:, 2:]]
    for view, corner in zip(found[2:10:2], corners, strict=True):
        expected = nn.functional.interpolate(corner, size=(16, 16), mode="bilinear", align_corners=False)
        assert torch.equal(view, expected)


def test_certain_answers_stay_finite() -> None:
    class Sure(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return torch.tensor([[500.0, -500.0]]).expand(len(images), 2)

    for activation in ("softmax", "sigmoid"):
        logits = TestTimeAugmentation(Sure(), "mirror", activation)(torch.zeros(2, 1, 4, 4))
        assert torch.isfinite(logits).all()
        assert (logits[:, 0] > logits[:, 1]).all()


def test_none_leaves_the_model_alone() -> None:
    model = LeftAndRight()
    assert with_views(model, SimpleNamespace(tta="none"), "softmax") is None
