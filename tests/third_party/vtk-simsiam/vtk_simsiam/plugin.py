"""The task `simsiam`: its hooks. Importing this imports no torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from toolkit import Data, Option, Result, Run, Table, hookimpl
from vtk_simsiam.config import SimSiamRecipe

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

WEIGHTS = "backbone.safetensors"


class SimSiamTask:
    """A backbone from pictures without labels."""

    @hookimpl
    def vtk_config(self) -> type[SimSiamRecipe]:
        """Pictures, views, network."""
        return SimSiamRecipe

    @hookimpl
    def vtk_options(self) -> list[Option]:
        """``--images`` for one's own folder."""
        return [Option("--images", "data.source.root", "The folder with the pictures.", metavar="FOLDER")]

    @hookimpl
    def vtk_data(self, recipe: SimSiamRecipe, run: Run) -> Data:
        """Two views of each picture."""
        from vtk_simsiam.data import build_data

        return build_data(recipe, run)

    @hookimpl
    def vtk_model(self, recipe: SimSiamRecipe) -> nn.Module:
        """The backbone and two heads."""
        from vtk_simsiam.model import SimSiam

        return SimSiam(recipe.model.arch, recipe.model.projection, recipe.model.prediction)

    @hookimpl
    def vtk_loss(self) -> Callable[..., Any]:
        """How unlike two views of a picture are."""
        from vtk_simsiam.model import likeness

        return likeness

    @hookimpl
    def vtk_metrics(self) -> Any:
        """Whether pictures still differ."""
        from torchmetrics import MetricCollection

        from vtk_simsiam.model import Spread

        return MetricCollection({"spread": Spread()})

    @hookimpl
    def vtk_report(self, run: Run, result: Result) -> list[Table] | None:
        """Saves the backbone, under torchvision's own names, and says where it is."""
        if run.directory is None or run.trained_meta is not None:
            return None
        path = save_backbone(run.model, run.directory / WEIGHTS)
        arch = run.recipe.model.arch  # type: ignore[attr-defined]
        rows = [["file", path.name], ["use", f"model: {{name: backbone, arch: {arch}, weights: {path}}}"]]
        return [Table("backbone", "The backbone, for a classifier to start from", ["", "value"], rows)]


def save_backbone(model: nn.Module, path: Path) -> Path:
    """Write the backbone's weights, whole or not at all."""
    from safetensors.torch import save_file

    state: dict[str, Any] = model.backbone.state_dict()  # type: ignore[union-attr, operator]
    draft = path.with_name(f".{path.name}.tmp")
    save_file({name: tensor.cpu().contiguous().clone() for name, tensor in state.items()}, draft)
    return draft.replace(path)


plugin = SimSiamTask()
