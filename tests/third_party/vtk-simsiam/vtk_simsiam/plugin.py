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
        """Saves the backbone, under its library's own names, says where it is and, of drawn pictures, what it knows."""
        if run.directory is None or run.trained_meta is not None:
            return None
        path = save_backbone(run.model, run.directory / WEIGHTS)
        arch = run.recipe.model.arch  # type: ignore[attr-defined]
        rows = [["file", path.name], ["use", f"model: {{name: backbone, arch: {arch}, weights: {path}}}"]]
        tables = [Table("backbone", "The backbone, for a classifier to start from", ["", "value"], rows)]
        return tables + ([worth(run)] if run.recipe.data.source.name == "drawn" else [])  # type: ignore[attr-defined]


def worth(run: Run) -> Table:
    """How well neighbours tell a picture's shape, which no training saw: by this backbone, and by untrained ones."""
    import torch

    from vtk_simsiam.model import build_backbone
    from vtk_simsiam.probe import NEIGHBOURS, accuracy, settled

    known, asked = run.data.train.pictures, run.data.val.pictures
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(run.seed)
        untrained = build_backbone(run.recipe.model.arch)[0].to(run.device).eval()  # type: ignore[attr-defined]
    networks: dict[str, Any] = {
        "untrained": untrained,
        "untrained, batch norms settled": settled(untrained, known),
        "after training": run.model.backbone.eval(),  # type: ignore[union-attr, operator]
    }
    rows: list[list[Any]] = [[name, round(accuracy(net, known, asked), 4)] for name, net in networks.items()]
    rows.append(["always the most frequent shape", round(max((asked.shapes == i).mean() for i in range(3)), 4)])
    for name, share in rows:
        run.say(f"{NEIGHBOURS} nearest neighbours, {name}: {share:.3f}")
    about = f"Share of the pictures held out whose shape their {NEIGHBOURS} nearest neighbours in training tell"
    return Table("neighbours", about, ["backbone", "accuracy"], rows)


def save_backbone(model: nn.Module, path: Path) -> Path:
    """Write the backbone's weights, whole or not at all."""
    from safetensors.torch import save_file

    state: dict[str, Any] = model.backbone.state_dict()  # type: ignore[union-attr, operator]
    draft = path.with_name(f".{path.name}.tmp")
    save_file({name: tensor.cpu().contiguous().clone() for name, tensor in state.items()}, draft)
    return draft.replace(path)


plugin = SimSiamTask()
