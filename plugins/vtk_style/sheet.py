"""Content, styles and result side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from vtk_style.pyramid import resized
from vtk_style.writing import quantise

_HEIGHT, _GAP, _CAPTION = 360, 12, 28


def contact_sheet(panels: Sequence[tuple[str, Tensor]]) -> Image.Image:
    """Pictures (1, 3, H, W) at one height with their captions, on white."""
    pictures = []
    for _, image in panels:
        width = max(1, round(image.shape[-1] * _HEIGHT / image.shape[-2]))
        pictures.append(Image.fromarray(quantise(resized(image.detach().float().cpu(), (_HEIGHT, width)))))
    total = sum(picture.width for picture in pictures) + _GAP * (len(pictures) + 1)
    sheet = Image.fromarray(np.full((_HEIGHT + _CAPTION + 2 * _GAP, total, 3), 255, np.uint8))
    draw, font, left = ImageDraw.Draw(sheet), ImageFont.load_default(16), _GAP
    for (caption, _), picture in zip(panels, pictures, strict=True):
        sheet.paste(picture, (left, _GAP))
        draw.text((left, _GAP + _HEIGHT + 6), caption, fill=(40, 40, 40), font=font)
        left += picture.width + _GAP
    return sheet
