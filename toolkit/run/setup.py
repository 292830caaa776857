"""From a resolved recipe to a run that is ready to train."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from toolkit.hooks.manager import build_manager, call_required
from toolkit.hooks.results import owner_name
from toolkit.inference.meta import require_plain_meta
from toolkit.recipe.stages import plan_stages
from toolkit.run.checkpoint.policy import plan_best
from toolkit.run.checkpoint.state import restore_early, seed_everything
from toolkit.run.defaults import core_defaults
from toolkit.run.directions import plan_plateaus
from toolkit.run.precision import plan_precision, settle_precision
from toolkit.run.run import Run
from toolkit.system.devices import pick_device
from toolkit.system.file_digests import FileDigests
from toolkit.system.step_display import StepDisplay

if TYPE_CHECKING:
    from rich.console import Console

    from toolkit.hooks.trace import HookTrace
    from toolkit.recipe.resolved import ResolvedRecipe
    from toolkit.system.signals import Interrupt


def prepare(
    resolved: ResolvedRecipe,
    *,
    console: Console,
    directory: Path | None = None,
    snapshot: dict[str, Any] | None = None,
    interrupt: Interrupt | None = None,
    trace: HookTrace | None = None,
) -> Run:
    """Register the plugins, then build data, model, loss: everything short of training.

    Args:
        directory: the run's directory; None to write nothing (``vtk check``).
        snapshot: the checkpoint to go on from.
        trace: is told every call of a hook.
    """
    began = None if snapshot is None else snapshot["precision"]["name"]
    run = new_run(resolved, console=console, directory=directory, began=began)
    if trace is not None:
        trace.attach(run.plugins)
    if interrupt is not None:
        run.interrupt = interrupt
    if snapshot is not None:
        restore_early(run, snapshot)
    build_data(run)
    build_model(run)
    return run


def new_run(
    resolved: ResolvedRecipe, *, console: Console, directory: Path | None = None, began: str | None = None
) -> Run:
    """A run with its plugins, stages, device and formats; no data and no model yet.

    Args:
        began: the format in which a run that goes on has trained so far.
    """
    stages = plan_stages(resolved.recipe, resolved.origins)
    device = pick_device(resolved.recipe.train.device)
    resolved = settle_precision(resolved, device, began)
    manager = build_manager(core_defaults, list(resolved.plugins.values()), resolved.task)
    run = Run(resolved, manager, device, stages, console, directory)
    if directory is not None:
        run.sealed_files = FileDigests(directory)
    return run


def build_data(run: Run) -> None:
    """Ask the task for its data."""
    seed_everything(run.seed)
    with StepDisplay(run.console, run.interrupt.check):
        run.data = call_required(run.plugins, "vtk_data", recipe=run.recipe, run=run)
    run.data.owner = f"vtk_data of {owner_name(run.plugins.owner_of('vtk_data'))}"
    run.data.restored = run.resumed
    require_plain_meta(run.data.meta, run.data.owner)
    run.interrupt.check()


def build_model(run: Run) -> None:
    """Ask the task for model and loss; choose precision, memory format and what is best."""
    recipe = run.recipe
    seed_everything(run.seed)
    model: torch.nn.Module = call_required(run.plugins, "vtk_model", recipe=recipe, data=run.data)
    run.interrupt.check()
    run.precision = plan_precision(run.resolved, run.device)
    run.model = place_model(model, run.device, recipe.train.channels_last)
    run.loss = call_required(run.plugins, "vtk_loss", recipe=recipe, data=run.data)
    if isinstance(run.loss, torch.nn.Module):
        run.loss.to(run.device)
    if run.best is None:
        run.best = plan_best(run, recipe.train.best, recipe.train.best_mode)
    plan_plateaus(run)


def place_model(model: torch.nn.Module, device: torch.device, channels_last: bool) -> torch.nn.Module:
    """The model on its device, in the memory format that convolutions like."""
    if channels_last:
        return model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
    return model.to(device)
