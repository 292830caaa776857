"""The loss terms of an image and their gradient, tile by tile and exact.

First pass: the tiles' Gram sums add up to those of the image, and with them every term is known. Second pass: each
tile's features are made again, the known gradient of the terms with respect to the features of the tile's core is
carried back to the tile's pixels, halo included, and the tiles' gradients add up to that of the image. Nothing is
approximated, since a halo as wide as the deepest feature's reach makes the core's features those of the whole image.
With one tile the features are kept between the passes instead of made again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vtk_style.buffers import apart_like
from vtk_style.feature_layers import FeatureLayer
from vtk_style.gram import add_gram_gradient, gram_sum, wide
from vtk_style.losses import TvKind, style_loss, variation_sums
from vtk_style.regions import Region
from vtk_style.tiling import Tile, Tiling
from vtk_style.vgg import Level, VggFeatures


@dataclass
class Tape:
    """What the backward pass needs of the forward pass."""

    grams: dict[tuple[FeatureLayer, int], Tensor]
    levels: list[Level] | None


class Objective:
    """The terms ``content`` (one for each content tap), ``style`` (one for each style tap) and ``tv`` of an image.

    Args:
        vgg: the frozen network.
        tiling: how the image is cut.
        content: target features by tap, (1, C, h, w).
        style_taps: taps of the style terms, in the terms' order.
        regions: whose Gram matrices the style terms compare; one without a mask where there are no masks.
        variation: the kind of total variation, or None to leave the term out.
        dtype: of the convolutions, e.g. ``torch.bfloat16``; sums and the image's gradient keep the image's type.
    """

    def __init__(
        self,
        vgg: VggFeatures,
        tiling: Tiling,
        content: Mapping[FeatureLayer, Tensor],
        style_taps: Sequence[FeatureLayer],
        regions: Sequence[Region],
        variation: TvKind | None = None,
    ) -> None:
        self.vgg = vgg
        self.tiling = tiling
        self.content = dict(sorted(content.items()))
        self.style_taps = list(style_taps)
        self.regions = list(regions)
        self.variation = variation
        self.dtype: torch.dtype | None = None

    @property
    def names(self) -> list[str]:
        """The terms' names, in the order of :meth:`terms`."""
        content = [f"content/{tap}" for tap in self.content] if len(self.content) > 1 else ["content"]
        names = [*content[: len(self.content)], *(f"style/{tap}" for tap in self.style_taps)]
        return [*names, "tv"] if self.variation else names

    def terms(self, image: Tensor) -> Tensor:
        """All terms of an image (1, 3, H, W), unweighted, as a vector; differentiable with respect to the image."""
        result: Tensor = _Terms.apply(image, self)
        return result

    @torch.no_grad()
    def evaluate(self, image: Tensor, keep: bool) -> tuple[Tensor, Tape]:
        """The first pass: the terms, and the tape for :meth:`gradient` where ``keep``."""
        content = {tap: image.new_zeros((), dtype=wide(image.device)) for tap in self.content}
        sums: dict[tuple[FeatureLayer, int], Tensor] = {}
        variation = [image.new_zeros((), dtype=wide(image.device)) for _ in range(2)]
        kept: list[Level] | None = None
        for tile in self.tiling:
            rows, columns = tile.window
            levels = self.vgg.levels(image[..., rows, columns], self.dtype)
            features = self.vgg.features(levels)
            self._add_grams(sums, features, tile)
            for tap, total in content.items():
                total += self._difference(features[tap], tap, tile).square().sum()
            if self.variation:
                parts = self._variation_sums(image, tile)
                variation = [a + b for a, b in zip(variation, parts, strict=True)]
            kept = levels if keep and self.tiling.is_whole else None
        grams = {(tap, r): total / self._gram_scale(tap, r) for (tap, r), total in sums.items()}
        values = [total / self.content[tap].numel() for tap, total in content.items()]
        values += [self._style_term(tap, grams) for tap in self.style_taps]
        if self.variation:
            values.append(self._variation_mean(variation))
        return torch.stack([value.to(image.dtype) for value in values]), Tape(grams, kept)

    @torch.no_grad()
    def gradient(self, image: Tensor, tape: Tape, upstream: Tensor) -> Tensor:
        """The second pass: the image's gradient of Σ upstreamᵢ · termᵢ."""
        weights = dict(zip(self.names, upstream.tolist(), strict=True))
        matrices = self._gram_factors(tape.grams, weights)
        total = apart_like(image)
        for tile in self.tiling:
            rows, columns = tile.window
            levels = tape.levels
            if levels is None:
                levels = self.vgg.levels(image[..., rows, columns], self.dtype)
            inject = _Injection(self, tile, matrices, weights)
            total[..., rows, columns] += self.vgg.image_gradient(levels, inject, image.dtype)
            if self.variation and weights["tv"]:
                self._add_variation_gradient(total, image, tile, weights["tv"])
        return total

    def _add_grams(
        self, sums: dict[tuple[FeatureLayer, int], Tensor], features: Mapping[FeatureLayer, Tensor], tile: Tile
    ) -> None:
        for tap in self.style_taps:
            rows, columns = tile.inside(tap.conv)
            core = features[tap][..., rows, columns]
            for r, region in enumerate(self.regions):
                mask = region.mask_at(tap.conv)
                part = gram_sum(core, None if mask is None else mask[tile.position(tap.conv)])
                sums[tap, r] = sums[tap, r] + part if (tap, r) in sums else part

    def _difference(self, features: Tensor, tap: FeatureLayer, tile: Tile) -> Tensor:
        rows, columns = tile.inside(tap.conv)
        top, left = tile.position(tap.conv)
        target = self.content[tap]
        return features[..., rows, columns].to(target.dtype) - target[..., top, left]

    def _gram_scale(self, tap: FeatureLayer, region: int) -> float:
        """b · c · d, or b · Σm for a masked region."""
        return tap.channels * self.regions[region].count(tap.conv, *self.tiling.shape(tap.conv))

    def _style_term(self, tap: FeatureLayer, grams: Mapping[tuple[FeatureLayer, int], Tensor]) -> Tensor:
        total = torch.zeros((), dtype=torch.float64)
        for r, region in enumerate(self.regions):
            for style in region.styles:
                error = style_loss(grams[tap, r], style.grams[tap])
                total = total.to(error.device, error.dtype) + region.area * style.weight * error
        return total

    def _gram_factors(
        self, grams: Mapping[tuple[FeatureLayer, int], Tensor], weights: Mapping[str, float]
    ) -> dict[tuple[FeatureLayer, int], Tensor]:
        """4 · w · area · Σᵢ weightᵢ (G − Aᵢ) / (b² · b·c·d): what F is multiplied with in its gradient."""
        factors = {}
        for tap in self.style_taps:
            for r, region in enumerate(self.regions):
                difference = torch.zeros_like(grams[tap, r])
                for style in region.styles:
                    difference += style.weight * (grams[tap, r] - style.grams[tap])
                scale = 4 * weights[f"style/{tap}"] * region.area / (tap.channels**2 * self._gram_scale(tap, r))
                factors[tap, r] = difference * scale
        return factors

    def _variation_mean(self, sums: Sequence[Tensor]) -> Tensor:
        height, width = self.tiling.height, self.tiling.width
        return sums[0] / max(3 * height * (width - 1), 1) + sums[1] / max(3 * (height - 1) * width, 1)

    def _variation_sums(self, image: Tensor, tile: Tile) -> tuple[Tensor, Tensor]:
        assert self.variation is not None
        rows, columns = tile.core
        part = image[..., rows.start : rows.stop + 1, columns.start : columns.stop + 1]
        return variation_sums(part, rows.stop - rows.start, columns.stop - columns.start, self.variation)

    def _add_variation_gradient(self, total: Tensor, image: Tensor, tile: Tile, weight: float) -> None:
        rows, columns = tile.core
        window = slice(rows.start, rows.stop + 1), slice(columns.start, columns.stop + 1)
        assert self.variation is not None
        with torch.enable_grad():
            part = image[..., window[0], window[1]].detach().clone().requires_grad_()
            sums = variation_sums(part, rows.stop - rows.start, columns.stop - columns.start, self.variation)
            (gradient,) = torch.autograd.grad(weight * self._variation_mean(sums), part)
        total[..., window[0], window[1]] += gradient


class _Injection:
    """The loss's own gradient at each tap, for one tile; zero outside the tile's core."""

    def __init__(
        self,
        objective: Objective,
        tile: Tile,
        matrices: Mapping[tuple[FeatureLayer, int], Tensor],
        weights: Mapping[str, float],
    ) -> None:
        self.objective = objective
        self.tile = tile
        self.matrices = matrices
        self.weights = weights

    def __call__(self, tap: FeatureLayer, features: Tensor, gradient: Tensor | None) -> Tensor:
        rows, columns = self.tile.inside(tap.conv)
        if gradient is None:
            gradient = torch.zeros_like(features)
        self._add(tap, features[..., rows, columns], gradient[..., rows, columns])
        return gradient

    def _add(self, tap: FeatureLayer, core: Tensor, gradient: Tensor) -> None:
        objective = self.objective
        if tap in objective.style_taps:
            for r, region in enumerate(objective.regions):
                mask = region.mask_at(tap.conv)
                part = None if mask is None else mask[self.tile.position(tap.conv)]
                add_gram_gradient(gradient, core, self.matrices[tap, r], part)
        if tap in objective.content:
            name = "content" if len(objective.content) == 1 else f"content/{tap}"
            top, left = self.tile.position(tap.conv)
            target = objective.content[tap]
            factor = 2 * self.weights[name] / target.numel()
            gradient.add_(core.to(target.dtype).sub(target[..., top, left]), alpha=factor)


class _Terms(torch.autograd.Function):
    """The two passes as one differentiable operation of the image."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, objective: Objective) -> Tensor:
        values, tape = objective.evaluate(image, keep=ctx.needs_input_grad[0])
        ctx.objective, ctx.tape = objective, tape
        ctx.save_for_backward(image)
        return values

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, None]:
        (image,) = ctx.saved_tensors
        # Whoever keeps the terms for a log keeps this node, but need not keep the targets.
        objective, tape = ctx.objective, ctx.tape
        ctx.objective = ctx.tape = None
        return objective.gradient(image, tape, upstream[0]), None
