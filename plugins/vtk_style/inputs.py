"""The pictures of a recipe, read once, and what a stage makes of them at its size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from toolkit import VtkError
from toolkit.data import Stamps
from vtk_style import color
from vtk_style.config import StyleRecipe, StyleSource
from vtk_style.feature_layers import Field
from vtk_style.pyramid import fitted, resized
from vtk_style.reading import Picture, read_mask, read_picture

_MISSING = "Name your pictures with --content FILE and --style FILE, or see it work with --demo, which brings its own."


@dataclass
class StylePicture:
    """One style of the recipe.

    Args:
        source: what the recipe says.
        picture: its pixels.
        texture: which part of the style image counts, (H, W) at its size, or None for all.
        region: which part of the content it goes to, (H, W) at the content's size, or None for all.
    """

    source: StyleSource
    picture: Picture
    texture: Tensor | None = None
    region: Tensor | None = None


@dataclass
class StageStyle:
    """A style at a stage's size: image (1, 3, h, w), masks (h, w) in [0, 1], or None where there is none."""

    image: Tensor
    texture: Tensor | None
    weight: float
    key: str


@dataclass
class Inputs:
    """All pictures of a recipe."""

    recipe: StyleRecipe
    content: Picture
    styles: list[StylePicture]
    notes: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, recipe: StyleRecipe, reach: Field) -> Inputs:
        """Read and check every picture.

        Raises:
            VtkError: a picture is missing, unreadable, too small for the layers, or its mask is of another size.
        """
        background = recipe.data.background
        content = read_picture(recipe.data.content, background, missing=_MISSING)
        styles = [cls._style(source, content, background) for source in recipe.data.styles]
        notes = [f"{p.name}: {note}" for p in (content, *(s.picture for s in styles)) for note in p.notes]
        inputs = cls(recipe, content, styles, notes)
        inputs._check_sizes(reach)
        return inputs

    @staticmethod
    def _style(source: StyleSource, content: Picture, background: Sequence[float]) -> StylePicture:
        picture = read_picture(source.image, background, missing=_MISSING)
        texture = read_mask(source.texture_mask, picture.size) if source.texture_mask else None
        region = read_mask(source.region.mask, content.size) if source.region else None
        return StylePicture(source, picture, texture, region)

    def _check_sizes(self, reach: Field) -> None:
        first, least = min(self.recipe.sizes), 2 * reach.stride
        sides = [(self.content, first), *((style.picture, self._style_side(first)) for style in self.styles)]
        for picture, side in sides:
            height, width = picture.size
            shape = fitted(picture.size, side)
            if min(height, width, *shape) < least:
                raise VtkError(
                    f"{width}×{height} pixels, {shape[1]}×{shape[0]} at the first stage, are too few for these layers",
                    place=picture.name,
                    hint=f"The shorter side needs {least} pixels: take a larger picture or --size, or fewer levels.",
                )
        for style in self.styles:
            used = fitted(style.picture.size, self._style_side(max(self.recipe.sizes)))
            if min(*style.picture.size, *used) < reach.size:
                (height, width), (rows, columns) = style.picture.size, used
                raise VtkError(
                    f"{width}×{height} pixels, {columns}×{rows} at the last stage, are less than the "
                    f"{reach.size} that the deepest layer sees",
                    place=style.picture.name,
                    hint="Use a larger style picture, a larger data.style_scale or --size, or shallower layers.",
                )

    def _style_side(self, size: int) -> int:
        return max(1, round(size * self.recipe.data.style_scale))

    def content_at(self, size: int) -> Tensor:
        """The content, (1, 3, h, w), with its longer side ``size``."""
        image = self.content.resized(fitted(self.content.size, size))
        return color.grey(image) if self.recipe.colors == "luminance" else image

    def alpha_at(self, size: int) -> Tensor | None:
        """The content's transparency (h, w), or None."""
        if self.content.alpha is None:
            return None
        from vtk_style.reading import as_float

        alpha = as_float(self.content.alpha)[None, None]
        return resized(alpha, fitted(self.content.size, size))[0, 0].clamp(0, 1)

    def styles_at(self, size: int) -> list[StageStyle]:
        """The styles with their longer sides at the stage's size times the style scale, colours matched as asked."""
        return [self.style_at(number, size) for number in range(len(self.styles))]

    def style_at(self, number: int, size: int) -> StageStyle:
        """One of :meth:`styles_at`."""
        style = self.styles[number]
        shape = self.style_shape(style.picture, size)
        texture = None if style.texture is None else resized(style.texture[None, None], shape)[0, 0].clamp(0, 1)
        key = "" if style.source.region is None else repr(style.source.region)
        return StageStyle(self._matched(style.picture.resized(shape), size), texture, style.source.weight, key)

    def style_shape(self, picture: Picture, size: int) -> tuple[int, int]:
        """(height, width) of a style's image at a stage's size."""
        return fitted(picture.size, self._style_side(size))

    def _matched(self, style: Tensor, size: int) -> Tensor:
        if self.recipe.colors not in ("luminance", "covariance"):
            return style
        content = self.content.resized(fitted(self.content.size, size))
        match = color.match_luma if self.recipe.colors == "luminance" else color.match_covariance
        return match(style, content)

    def region_at(self, key: str, size: int) -> Tensor | None:
        """A region's mask (h, w) at a stage's size, feathered."""
        style = next(s for s in self.styles if key == ("" if s.source.region is None else repr(s.source.region)))
        if style.region is None or style.source.region is None:
            return None
        mask = 1 - style.region if style.source.region.invert else style.region
        shape = fitted(self.content.size, size)
        feather = style.source.region.feather * max(shape)
        return feathered(resized(mask[None, None], shape)[0, 0].clamp(0, 1), feather)

    def recoloured(self, image: Tensor) -> Tensor:
        """A result (1, 3, h, w) with the content's colours, where the recipe keeps them in the output."""
        if self.recipe.colors not in ("luminance", "ycbcr"):
            return image
        content = self.content.resized((image.shape[-2], image.shape[-1])).to(image.device)
        return color.with_luma(content, color.luma(image))

    @property
    def region_keys(self) -> Sequence[str]:
        """The distinct regions, in order of appearance; ``""`` is the whole picture."""
        keys = ["" if s.source.region is None else repr(s.source.region) for s in self.styles]
        return list(dict.fromkeys(keys))


def feathered(mask: Tensor, sigma: float) -> Tensor:
    """A mask (H, W) with its edge softened by a Gaussian of ``sigma`` pixels, replicated at the border."""
    if sigma <= 0:
        return mask
    radius = max(1, round(3 * sigma))
    offsets = torch.arange(-radius, radius + 1, dtype=mask.dtype)
    kernel = torch.exp(-offsets.square() / (2 * sigma * sigma))
    kernel = kernel / kernel.sum()
    soft = F.pad(mask[None, None], (radius, radius, 0, 0), mode="replicate")
    soft = F.conv2d(soft, kernel.view(1, 1, 1, -1))
    soft = F.pad(soft, (0, 0, radius, radius), mode="replicate")
    return F.conv2d(soft, kernel.view(1, 1, -1, 1))[0, 0].clamp(0, 1)


def picture_stamps(recipe: StyleRecipe) -> dict[str, Stamps]:
    """The picture files of a recipe, so that a resumed run can tell whether they have changed."""
    named: dict[str, str | None] = {"content": recipe.data.content, "init": recipe.init.file}
    for number, style in enumerate(recipe.data.styles, start=1):
        named[f"style {number}"] = style.image
        named[f"style {number} texture_mask"] = style.texture_mask
        named[f"style {number} region"] = None if style.region is None else style.region.mask
    files = {name: Path(file) for name, file in named.items() if file is not None and Path(file).is_file()}
    return {"train": Stamps(list(files), list(files.values()))}
