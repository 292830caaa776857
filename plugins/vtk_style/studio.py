"""What a run of style transfer has at hand in its process, and the stages' set-up."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from toolkit import ExitCode, Run, Stage, VtkError
from vtk_style.config import LBFGS, StyleRecipe, StyleStage
from vtk_style.initial import initial_image
from vtk_style.memory import MIB, Demand, choose_tiling, demand, free_memory, largest_pixels
from vtk_style.model import StyleModel
from vtk_style.objective import Objective
from vtk_style.previews import Previews
from vtk_style.pyramid import fitted, refined
from vtk_style.regions import Region, StyleTarget, style_grams
from vtk_style.scene import Scene
from vtk_style.sheet import contact_sheet
from vtk_style.taps import Field, Tap, parse_taps, receptive_field
from vtk_style.tiling import Tiling
from vtk_style.writing import picture_format, write_picture

NAME = "style"


@dataclass(frozen=True)
class Layers:
    """The taps of a recipe."""

    content: list[Tap]
    style: list[Tap]

    @classmethod
    def of(cls, recipe: StyleRecipe) -> Layers:
        """Raises VtkError where a layer's name is unknown."""
        return cls(parse_taps(recipe.model.content_layers), parse_taps(recipe.model.style_layers))

    @property
    def all(self) -> set[Tap]:
        """Every tap."""
        return {*self.content, *self.style}

    @property
    def field(self) -> Field:
        """The deepest tap's receptive field."""
        return receptive_field(self.all)


@dataclass
class Studio:
    """The pictures, the layers, and the size of the stage that this process went through before."""

    recipe: StyleRecipe
    layers: Layers
    scene: Scene
    before: int | None = None
    previews: Previews | None = None

    @classmethod
    def of(cls, run: Run) -> Studio:
        """The run's own."""
        return cast(Studio, run.local[NAME])

    def begin_stage(self, run: Run, stage: Stage) -> None:
        """Give the model its image and objective at the stage's size."""
        model, size = cast(StyleModel, run.model), cast(StyleStage, stage.section).size
        content = self.scene.content_at(size).to(run.device)
        tiling = self._tiling(run, stage, content)
        start = self._start(model, content, size, stage)
        model.begin(start, self._objective(model, tiling, content, size, run.device))
        self.before = size

    def _start(self, model: StyleModel, content: Tensor, size: int, stage: Stage) -> Tensor:
        if stage.index == 0:
            style = self.scene.styles_at(size)[0].image
            return initial_image(self.recipe.init, content, style, self.recipe.seed)
        if self.before is None:
            return content  # a resumed run loads the image next
        return refined(model.picture, self.scene.content_at(self.before).to(content.device), content)

    def _objective(
        self, model: StyleModel, tiling: Tiling, content: Tensor, size: int, device: torch.device
    ) -> Objective:
        targets = content_targets(model, tiling, content, self.layers.content)
        variation = self.recipe.loss.tv_kind if self.recipe.loss.tv else None
        regions = self._regions(model, size, device, None if tiling.is_whole else tiling.side)
        return Objective(model.trunk, tiling, targets, self.layers.style, regions, variation)

    def _regions(self, model: StyleModel, size: int, device: torch.device, tile: int | None) -> list[Region]:
        styles = self.scene.styles_at(size)
        regions = []
        for key in self.scene.region_keys:
            members = [style for style in styles if style.key == key]
            total = sum(style.weight for style in members)
            targets = []
            for style in members:
                texture = None if style.texture is None else style.texture.to(device)
                grams = style_grams(model.trunk, style.image.to(device), self.layers.style, texture, tile)
                targets.append(StyleTarget(style.weight / total, grams))
            mask = self.scene.region_at(key, size)
            regions.append(Region(targets, None if mask is None else mask.to(device)))
        return regions

    def demand(self, run: Run, stage: Stage) -> Demand:
        """Memory that a stage needs."""
        optimizer = stage.optimizer
        pair_bytes = 0
        if isinstance(optimizer, LBFGS):
            item = 2 if optimizer.history_dtype == "bf16" else 4
            pair_bytes = 2 * 3 * item * optimizer.history
        half = run.precision is not None and run.precision.name != "fp32"
        regions = sum(bool(key) for key in self.scene.region_keys)
        layers, pooling = self.layers, self.recipe.model.pooling
        return demand(
            layers.all,
            layers.content,
            pooling,
            item=2 if half else 4,
            pair_bytes=pair_bytes,
            regions=regions,
        )

    def plan(self, run: Run, stage: Stage, free: int) -> tuple[Tiling, Demand]:
        """A stage's tiling, the one that the run had before where it was resumed."""
        size = cast(StyleStage, stage.section).size
        height, width = fitted(self.scene.content.size, size)
        need = self.demand(run, stage)
        kept = tile_sides(run).get(str(stage.index))
        if kept is not None:
            return Tiling(height, width, kept, self.layers.field), need
        return choose_tiling(height, width, self.layers.field, need, free, self.recipe.memory.tile), need

    def announce(self, run: Run) -> None:
        """Say what every stage needs, before the first begins.

        Raises:
            VtkError: a stage does not fit into the free memory (exit code 71).
        """
        free = free_memory(run.device)
        for stage in run.stages:
            tiling, need = self.plan(run, stage, free)
            how = "whole" if tiling.is_whole else f"in {len(tiling)} tiles of {tiling.side} pixels"
            run.say(
                f"{stage.name}: {tiling.width}×{tiling.height} pixels, {stage.total_steps} steps, {how}, "
                f"about {need.bytes(tiling) / MIB:,.0f} of {free / MIB:,.0f} MiB free"
            )
        most = largest_pixels(self.demand(run, run.stages[-1]), self.layers.field, free)
        run.say(f"The free memory is enough for results of up to about {most / 1e6:,.0f} megapixels.")

    def _tiling(self, run: Run, stage: Stage, content: Tensor) -> Tiling:
        tiling, _ = self.plan(run, stage, free_memory(run.device))
        # Another tiling rounds differently, and a resumed run must give the same bits.
        tile_sides(run)[str(stage.index)] = tiling.side
        return tiling

    def finished(self, image: Tensor) -> Tensor:
        """An image (1, 3, H, W) as it is shown: in [0, 1], with the colours that the recipe keeps."""
        return self.scene.recoloured(image.float().cpu().clamp(0, 1)).clamp(0, 1)

    def output_path(self, directory: Path) -> Path:
        """Where the result goes."""
        return Path(self.recipe.output.path) if self.recipe.output.path else directory / "result.png"

    def write(self, run: Run, image: Tensor) -> Path:
        """Write the result and the contact sheet."""
        assert run.directory is not None
        path, output = self.output_path(run.directory), self.recipe.output
        result = self.finished(image)
        alpha = self.scene.alpha_at(max(result.shape[-2:])) if self.recipe.data.alpha == "keep" else None
        # Without the comment that names the file it came from: the same settings are the same picture file.
        lines = [line for line in run.resolved.to_yaml().splitlines() if not line.startswith("#")]
        recipe = "\n".join(lines) + "\n"
        write_picture(path, result, bits=output.bits, quality=output.quality, alpha=alpha, recipe=recipe)
        contact_sheet(self.panels(result)).save(run.directory / "contact-sheet.png")
        return path

    def panels(self, result: Tensor) -> list[tuple[str, Tensor]]:
        """What the contact sheet shows."""
        size = min(512, max(result.shape[-2:]))
        styles = [(f"style {Path(s.picture.name).name}", s.picture.tensor()) for s in self.scene.styles]
        content = self.scene.content
        shown = self.scene.recoloured(self.scene.content_at(size))
        return [(f"content {Path(content.name).name}", shown), *styles, ("result", result)]


def content_targets(model: StyleModel, tiling: Tiling, content: Tensor, taps: list[Tap]) -> dict[Tap, Tensor]:
    """The content's features (1, C, h, w) at some taps, made tile by tile."""
    if tiling.is_whole:
        features = model.trunk(content)
        return {tap: features[tap] for tap in taps}
    # What stays is allocated first: behind the tiles' passing tensors it would keep the memory from being used again.
    targets = {tap: _empty_features(tap, tiling, content) for tap in taps}
    for tile in tiling:
        rows, columns = tile.window
        features = model.trunk(content[..., rows, columns])
        for tap, target in targets.items():
            target[(..., *tile.position(tap.conv))] = features[tap][(..., *tile.inside(tap.conv))]
    return targets


def _empty_features(tap: Tap, tiling: Tiling, like: Tensor) -> Tensor:
    shape = (1, tap.channels, *tiling.shape(tap.conv))
    return torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=torch.channels_last)


def tile_sides(run: Run) -> dict[str, int]:
    """The sides of each stage's tiles, by the stage's index; kept in the checkpoints."""
    sides: dict[str, int] = run.plugin_state(NAME).setdefault("tiles", {})
    return sides


def check_output(recipe: StyleRecipe) -> None:
    """Refuse early what could not be written at the end.

    Raises:
        VtkError: a wrong suffix (78), or a folder that is not there or not writable (73).
    """
    if recipe.output.path is None:
        return
    path = Path(recipe.output.path)
    picture_format(path, recipe.output.bits, recipe.data.alpha == "keep")
    folder = path.absolute().parent
    problem = None
    if not folder.is_dir():
        problem = "the folder does not exist"
    elif path.is_dir():
        problem = "this is a folder"
    elif not os.access(folder, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        problem = "the folder is not writable"
    if problem:
        raise VtkError(
            f"the result cannot be written: {problem}",
            place=str(path),
            hint="Choose another --output.",
            code=ExitCode.CANNOT_CREATE,
        )
