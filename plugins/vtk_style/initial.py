"""The image that the optimisation begins with."""

from __future__ import annotations

import torch
from torch import Tensor

from vtk_style.color import coloured_noise
from vtk_style.config import InitSection
from vtk_style.pyramid import resized
from vtk_style.reading import read_picture


def initial_image(section: InitSection, content: Tensor, style: Tensor, seed: int) -> Tensor:
    """An image of the content's shape (1, 3, H, W), float32.

    ``content`` copies it, ``noise`` is uniform in [0, 1], ``statistics`` is Gaussian with the mean and covariance of
    the style's colours, ``file`` is a picture scaled to the shape. Noise depends on the seed alone, not on the device.

    Raises:
        VtkError: the file cannot be read.
    """
    size = (content.shape[-2], content.shape[-1])
    generator = torch.Generator().manual_seed(seed)
    if section.name == "noise":
        return torch.rand(1, 3, *size, generator=generator).to(content.device)
    if section.name == "statistics":
        return coloured_noise(style, size, generator).to(content.device)
    if section.name == "file":
        assert section.file is not None
        return resized(read_picture(section.file).tensor(), size).to(content.device)
    return content.clone()
