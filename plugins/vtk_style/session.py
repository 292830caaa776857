"""What a run of style transfer has at hand in its process, and the stages' set-up."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from toolkit import ExitCode, Run, Stage, VtkError
from toolkit.system import free_memory, used_memory, whole_file
from vtk_style.buffers import apart, trim
from vtk_style.config import LBFGS, StyleRecipe, StyleStage
from vtk_style.feature_layers import FeatureLayer, Field, parse_feature_layers, receptive_field
from vtk_style.initial import initial_image
from vtk_style.inputs import Inputs
from vtk_style.memory import MIB, Demand, choose_tiling, demand, largest_pixels, picture_bytes, style_tiling
from vtk_style.model import StyleModel
from vtk_style.objective import Objective
from vtk_style.previews import Previews
from vtk_style.pyramid import fitted, refined
from vtk_style.regions import Region, StyleTarget, style_grams
from vtk_style.sheet import contact_sheet
from vtk_style.tiling import Tiling
from vtk_style.writing import picture_format, write_picture

NAME = "style"


@dataclass(frozen=True)
class Layers:
    """The taps of a recipe."""

    content: list[FeatureLayer]
    style: list[FeatureLayer]

    @classmethod
    def of(cls, recipe: StyleRecipe) -> Layers:
        """Raises VtkError where a layer's name is unknown."""
        content = parse_feature_layers(recipe.model.content_layers, "model.content_layers")
        return cls(content, parse_feature_layers(recipe.model.style_layers, "model.style_layers"))

    @property
    def all(self) -> set[FeatureLayer]:
        """Every tap."""
        return {*self.content, *self.style}

    @property
    def field(self) -> Field:
        """The deepest tap's receptive field."""
        return receptive_field(self.all)


@dataclass
class Session:
    """The pictures, the layers, and the size of the stage that this process went through before."""

    recipe: StyleRecipe
    layers: Layers
    inputs: Inputs
    before: int | None = None
    previews: Previews | None = None

    @classmethod
    def of(cls, run: Run) -> Session:
        """The run's own."""
        return cast(Session, run.local[NAME])

    def begin_stage(self, run: Run, stage: Stage) -> None:
        """Give the model its image and objective at the stage's size."""
        model, size = cast(StyleModel, run.model), cast(StyleStage, stage.section).size
        self.leave_stage(run)
        content = self.inputs.content_at(size).to(run.device)
        tiling, _ = self.plan(run, stage, free_memory(run.device) + held_bytes(run.restore_from))
        start = self._start(model, content, size, stage)
        model.begin(start, self._objective(model, tiling, content, size, run.device))
        self.before = size
        del content, start
        trim()

    @staticmethod
    def leave_stage(run: Run) -> None:
        """Let targets and optimizer state go: the picture is all that is needed between stages and after the last."""
        cast(StyleModel, run.model).release()
        if run.optimizer is not None:
            getattr(run.optimizer, "reset", run.optimizer.state.clear)()
        trim()

    def _start(self, model: StyleModel, content: Tensor, size: int, stage: Stage) -> Tensor:
        if stage.index == 0:
            style = self.inputs.style_at(0, size).image
            return initial_image(self.recipe.init, content, style, self.recipe.seed)
        if self.before is None:
            return content  # a resumed run loads the image next
        return refined(model.picture, self.inputs.content_at(self.before).to(content.device), content)

    def _objective(
        self, model: StyleModel, tiling: Tiling, content: Tensor, size: int, device: torch.device
    ) -> Objective:
        targets = content_targets(model, tiling, content, self.layers.content)
        variation = self.recipe.loss.tv_kind if self.recipe.loss.tv else None
        regions = self._regions(model, tiling, size, device)
        return Objective(model.vgg, tiling, targets, self.layers.style, regions, variation)

    def _regions(self, model: StyleModel, tiling: Tiling, size: int, device: torch.device) -> list[Region]:
        members: dict[str, list[StyleTarget]] = {}
        for number in range(len(self.inputs.styles)):
            style = self.inputs.style_at(number, size)
            cut = style_tiling(tiling, (style.image.shape[-2], style.image.shape[-1]))
            texture = None if style.texture is None else style.texture.to(device)
            grams = style_grams(model.vgg, style.image.to(device), self.layers.style, texture, cut.side)
            members.setdefault(style.key, []).append(StyleTarget(style.weight, grams))
        regions = []
        for key, targets in members.items():
            total = sum(target.weight for target in targets)
            mask = self.inputs.region_at(key, size)
            shares = [replace(target, weight=target.weight / total) for target in targets]
            regions.append(Region(shares, None if mask is None else mask.to(device)))
        return regions

    def demand(self, run: Run, stage: Stage) -> Demand:
        """Memory that a stage needs."""
        optimizer, size = stage.optimizer, cast(StyleStage, stage.section).size
        pair_bytes, vectors = 0, 3 + 4
        if isinstance(optimizer, LBFGS):
            item = 2 if optimizer.history_dtype == "bf16" else 4
            pair_bytes, vectors = 2 * 3 * item * optimizer.history, 3 + 2
        half = run.precision is not None and run.precision.name != "fp32"
        styles = [
            picture_bytes(math.prod(s.picture.size), self.inputs.style_shape(s.picture, size))
            for s in self.inputs.styles
        ]
        return demand(
            self.layers.all,
            self.layers.content,
            self.recipe.model.pooling,
            item=2 if half else 4,
            vectors=vectors,
            pair_bytes=pair_bytes,
            regions=sum(bool(key) for key in self.inputs.region_keys),
            pictures=max(8 * math.prod(self.inputs.content.size), *styles),
        )

    def plan(self, run: Run, stage: Stage, free: int) -> tuple[Tiling, Demand]:
        """A stage's tiling: the one that it had before, as long as it fits; another one rounds differently.

        Raises:
            VtkError: no tiling fits into ``free`` bytes (exit code 71).
        """
        height, width = fitted(self.inputs.content.size, cast(StyleStage, stage.section).size)
        need, sides = self.demand(run, stage), tile_sides(run)
        index = str(stage.index)
        kept = sides.get(index)
        if kept is not None:
            tiling = Tiling(height, width, kept, self.layers.field)
            if need.bytes(tiling) - need.fixed <= free:
                return tiling, need
        tiling = choose_tiling(height, width, self.layers.field, need, free, self.recipe.memory.tile)
        if kept is not None:
            run.say(f"{stage.name}: less memory is free than when this was planned; in tiles of {tiling.side} pixels.")
        sides[index] = tiling.side
        return tiling, need

    def announce(self, run: Run) -> None:
        """Plan every stage, and say what it needs, before the first begins.

        Raises:
            VtkError: a stage does not fit into the free memory (exit code 71).
        """
        # A checkpoint that was read gives its tensors to the stage, or goes.
        held = held_bytes(run.restore_from)
        trim()
        used, free = used_memory(run.device) - held, free_memory(run.device) + held
        for stage in run.stages[run.position.stage :]:
            tiling, need = self.plan(run, stage, free)
            how = "whole" if tiling.is_whole else f"in {len(tiling)} tiles of {tiling.side} pixels"
            most = need.bytes(tiling)
            run.say(
                f"{stage.name}: {tiling.width}×{tiling.height} pixels, {stage.total_steps} steps, {how}; "
                f"memory at most {(used + most) / MIB:,.0f} MiB, {most / MIB:,.0f} more than now; "
                f"{free / MIB:,.0f} MiB are free"
            )
        largest = largest_pixels(self.demand(run, run.stages[-1]), self.layers.field, free)
        run.say(f"The free memory is enough for results of up to about {largest / 1e6:,.0f} megapixels.")

    def finished(self, image: Tensor) -> Tensor:
        """An image (1, 3, H, W) as it is shown: in [0, 1], with the colours that the recipe keeps."""
        clamped = image.detach().to("cpu", torch.float32, copy=True).clamp_(0, 1)
        return self.inputs.recoloured(clamped).clamp_(0, 1)

    def output_path(self, directory: Path) -> Path:
        """Where the result goes."""
        return Path(self.recipe.output.path) if self.recipe.output.path else directory / "result.png"

    def write(self, run: Run, image: Tensor) -> Path:
        """Write the result and the contact sheet."""
        assert run.directory is not None
        path, output = self.output_path(run.directory), self.recipe.output
        result = self.finished(image)
        alpha = self.inputs.alpha_at(max(result.shape[-2:])) if self.recipe.data.alpha == "keep" else None
        # Without the comment that names the file it came from: the same settings are the same picture file.
        lines = [line for line in run.resolved.to_yaml().splitlines() if not line.startswith("#")]
        recipe = "\n".join(lines) + "\n"
        write_picture(path, result, bits=output.bits, quality=output.quality, alpha=alpha, recipe=recipe)
        with whole_file(run.directory / "contact-sheet.png") as sheet:
            contact_sheet(self.panels(result)).save(sheet, "PNG")
        return path

    def panels(self, result: Tensor) -> list[tuple[str, Tensor]]:
        """What the contact sheet shows."""
        size = min(512, max(result.shape[-2:]))
        styles = [
            (f"style {Path(s.picture.name).name}", s.picture.resized(fitted(s.picture.size, size)))
            for s in self.inputs.styles
        ]
        content = self.inputs.content
        shown = self.inputs.recoloured(self.inputs.content_at(size))
        return [(f"content {Path(content.name).name}", shown), *styles, ("result", result)]


def content_targets(
    model: StyleModel, tiling: Tiling, content: Tensor, taps: list[FeatureLayer]
) -> dict[FeatureLayer, Tensor]:
    """The content's features (1, C, h, w) at some taps, made tile by tile."""
    targets = {tap: _empty_features(tap, tiling, content) for tap in taps}
    for tile in tiling:
        rows, columns = tile.window
        features = model.vgg(content[..., rows, columns])
        for tap, target in targets.items():
            target[(..., *tile.position(tap.conv))] = features[tap][(..., *tile.inside(tap.conv))]
    return targets


def _empty_features(tap: FeatureLayer, tiling: Tiling, like: Tensor) -> Tensor:
    """In channels-last order."""
    return apart((1, *tiling.shape(tap.conv), tap.channels), like.dtype, like.device).permute(0, 3, 1, 2)


def held_bytes(tree: Any) -> int:
    """Bytes of the tensors in a checkpoint's tree."""
    if isinstance(tree, Tensor):
        return tree.nbytes
    values = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list | tuple) else ()
    return sum(map(held_bytes, values))


def tile_sides(run: Run) -> dict[str, int]:
    """The sides of each stage's tiles, by the stage's index; kept in the checkpoints.

    Raises:
        VtkError: the checkpoint's are none (exit code 65).
    """
    state = run.plugin_state(NAME)
    sides: dict[str, int] = state.setdefault("tiles", {})
    counts = [state.get("failures", 0), *sides.values()] if isinstance(sides, dict) else [None]
    if not all(type(count) is int and count >= 0 for count in counts) or 0 in sides.values():
        what = f"the checkpoint does not fit this run: the state of {NAME} makes no sense"
        raise VtkError(what, place=str(run.directory), hint="Start the run anew.")
    return sides


def input_files(recipe: StyleRecipe) -> list[Path]:
    """The files that a recipe names and that are there."""
    named = [recipe.data.content, recipe.init.file, recipe.model.weights]
    for style in recipe.data.styles:
        named += [style.image, style.texture_mask, style.region.mask if style.region else None]
    return [Path(name) for name in named if name is not None and Path(name).is_file()]


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
    elif path.exists() and any(path.samefile(source) for source in input_files(recipe)):
        problem = "this file is one of those that the run reads"
    if problem:
        raise VtkError(
            f"the result cannot be written: {problem}",
            place=str(path),
            hint="Choose another --output.",
            code=ExitCode.CANNOT_CREATE,
        )
