"""One execution of a recipe: what hooks see and change."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, cast

from typing_extensions import TypeVar

from toolkit.data.loading.skipped_images import SkippedImages
from toolkit.system.log import log_said
from toolkit.system.printable import printable_text
from toolkit.system.signals import Interrupt
from toolkit.types.progress import Best, Position, Stage

__all__ = ["Run"]

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import torch
    from rich.console import Console
    from torch import nn
    from torch.optim import Optimizer

    from toolkit.data.loading.loaders import Loader
    from toolkit.hooks.manager import Manager
    from toolkit.recipe.resolved import ResolvedRecipe
    from toolkit.recipe.sections import Recipe
    from toolkit.run.meters import LossMeter, OutputBuffer
    from toolkit.system.file_digests import FileDigests
    from toolkit.system.precision import PrecisionPlan
    from toolkit.types.data import Data


R = TypeVar("R", bound="Recipe", default="Recipe", covariant=True)


@dataclass
class Run(Generic[R]):
    """One execution of a recipe, to a type checker ``Run[MyRecipe]``.

    Hooks read it; ``state``, ``local``, ``data``'s datasets and the model may be changed.

    Attributes:
        recipe: the typed recipe, an instance of the class that the task's ``vtk_config`` returned.
        resolved: the recipe with the origin of each value.
        plugins: the manager with the plugins of this run; it is the core's.
        hook: calls hooks, e.g. ``run.hook.vtk_log(run=run, records=...)``.
        directory: the run's directory; None under ``vtk check``.
        device: where the model lives.
        position: completed stages, epochs and steps.
        state: ``state[name]`` of a plugin is a JSON-able dict, or holds tensors; saved with every checkpoint.
        local: ``local[name]`` is whatever a plugin needs in this process only (writers, threads).
        history: one mapping of metrics for each completed epoch.
        demo: the recipe's demo overlay is in force.
        trained_meta: under ``vtk eval``, the ``meta`` that the model was trained with; data must be aligned with it.
        resumed: the run goes on from a checkpoint.
        start: what the network's weights were before training, in a few words; None where its task does not say.
        average: a model of averaged weights, if an extension keeps one: validation judges it instead of ``model``, and
            it is what is kept; the weights as trained are saved beside it.
        skipped: the images that were left out so far because they cannot be read.
        seal: what the run began with, once it has begun; see :mod:`toolkit.run.checkpoint.seal`.
        dry: it is tried by ``vtk check`` and thrown away: nothing lasting is written, whatever the directory.
        checkpoints_kept: how many checkpoints of the newest are kept.
        checkpoint_step: the step of the last one that this process saved.
        sealed_files: those in its directory that a resumed run reads again; None without a directory.
        accepted: what was changed while the run was interrupted, and accepted by the user.
        phase: ``setup``, ``train``, ``val``, ``test`` or ``done``; displays read it.
    """

    resolved: ResolvedRecipe
    plugins: Manager
    device: torch.device
    stages: list[Stage]
    console: Console
    directory: Path | None = None
    precision: PrecisionPlan | None = None
    data: Data = None  # type: ignore[assignment]
    model: nn.Module = None  # type: ignore[assignment]
    loss: Callable[[Any, Any], Any] = None  # type: ignore[assignment]
    stage: Stage = None  # type: ignore[assignment]
    optimizer: Optimizer = None  # type: ignore[assignment]
    scheduler: Any = None
    schedule_interval: str = "epoch"
    schedule_metric: str | None = None
    scaler: Any = None
    loader: Loader = None  # type: ignore[assignment]
    val_loader: Loader | None = None
    position: Position = field(default_factory=Position)
    best: Best | None = None
    state: dict[str, dict[str, Any]] = field(default_factory=dict)
    local: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    losses: LossMeter = None  # type: ignore[assignment]
    outputs: OutputBuffer | None = None
    grad_norm: torch.Tensor | None = None
    average: nn.Module | None = None
    skipped: SkippedImages = field(default_factory=SkippedImages)
    seal: dict[str, Any] | None = None
    sealed_files: FileDigests | None = None
    accepted: list[dict[str, Any]] = field(default_factory=list)
    eval_done: int = 0
    eval_total: int = 0
    phase: str = "setup"
    resumed: bool = False
    start: str | None = None
    trained_meta: Mapping[str, Any] | None = None
    stop_reason: str | None = None
    dry: bool = False
    checkpoint_wanted: bool = False
    checkpoints_kept: int = 2
    checkpoint_step: int | None = None
    interrupt: Interrupt = field(default_factory=Interrupt)
    restore_from: dict[str, Any] | None = None

    @property
    def recipe(self) -> R:
        """The typed recipe."""
        return cast("R", self.resolved.recipe)

    @property
    def hook(self) -> Any:
        """Calls hooks of all plugins, e.g. ``run.hook.vtk_log(run=run, records=...)``."""
        return self.plugins.hook

    @property
    def judged(self) -> nn.Module:
        """The model that validation judges and that is kept: the average, if there is one."""
        return self.model if self.average is None else self.average

    @property
    def seed(self) -> int:
        """The recipe's seed."""
        return self.recipe.seed

    @property
    def demo(self) -> bool:
        """Whether the recipe's demo overlay is in force."""
        return self.resolved.demo

    @property
    def epoch(self) -> int:
        """Completed epochs of the whole run."""
        return self.position.epoch

    @property
    def step(self) -> int:
        """Completed optimizer steps of the whole run."""
        return self.position.step

    @property
    def stopping(self) -> bool:
        """Whether somebody asked the run to stop."""
        return self.stop_reason is not None

    @property
    def epoch_steps(self) -> int:
        """Optimizer steps in the present epoch; the last epoch of a stage that counts steps may be short."""
        before = self.position.stage_step - self.position.epoch_step
        return min(self.stage.epoch_steps, self.stage.total_steps - before)

    def options(self, extension: str) -> Any:
        """The validated options of an extension by its own name, whatever full name the recipe gave it."""
        return self.resolved.extensions[extension]

    def stop(self, reason: str) -> None:
        """End training after the current epoch (or step, in a stage that counts steps). The first reason counts."""
        if self.stop_reason is None:
            self.stop_reason = reason

    def request_checkpoint(self) -> None:
        """Save a checkpoint as soon as every hook of the present call has had its turn."""
        self.checkpoint_wanted = True

    def seal_file(self, name: str) -> None:
        """Let checkpoints vouch for a file in the run's directory that a resumed run reads again.

        A resume is refused where the file no longer begins with what it held at the checkpoint. A file that is
        written anew is to be named again.
        """
        if self.sealed_files is not None:
            self.sealed_files.add(name)

    def say(self, message: str) -> None:
        """Tell the user something, above any progress display; the logger ``toolkit`` gets it too."""
        self.console.print(printable_text(message), markup=False, highlight=False, soft_wrap=True)
        log_said(message)

    def plugin_state(self, name: str, **initial: Any) -> dict[str, Any]:
        """``state[name]``, filled with ``initial`` where it is new."""
        return self.state.setdefault(name, dict(initial))


def metric_line(metrics: Mapping[str, float]) -> str:
    """Metrics as one readable line."""
    return " · ".join(f"{name} {value:.4g}" for name, value in metrics.items())
