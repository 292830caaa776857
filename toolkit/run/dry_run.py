"""What a run would do, found out without doing it. Read :func:`make_plan` first.

Nothing is written and nothing is downloaded: the task's hooks see ``run.directory`` None and ``data.restored`` True.
"""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.errors import VtkError
from toolkit.optim.schedules import schedule_notes
from toolkit.run.batches import training_batches, with_samples
from toolkit.run.loop import enter_stage, samples_in, training_loader
from toolkit.run.meters import LossMeter
from toolkit.run.setup import build_data, build_model, new_run
from toolkit.run.step import inputs_of, targets_of
from toolkit.system.files import scratch_directory
from toolkit.system.process import alone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from toolkit.recipe.resolved import ResolvedRecipe
    from toolkit.run.run import Run
    from toolkit.types.progress import Stage


@dataclass
class StagePlan:
    """One stage: its length, what learns in it, and what of its schedule will not happen."""

    name: str
    epochs: int
    steps_per_epoch: int
    steps: int
    optimizer: str
    lr: float
    schedule: str
    trainable: int
    frozen: int
    notes: list[str] = field(default_factory=list)


@dataclass
class StepTrial:
    """One batch and one optimizer step: shapes, seconds, and the loss before the step."""

    inputs: str
    targets: str
    batch_seconds: float
    step_seconds: float
    loss: float


@dataclass
class Plan:
    """What is known of a run before it runs.

    Attributes:
        values: each resolved value with its origin, by dotted key.
        samples: samples in each split.
        data: what the task says of its data, e.g. classes with their counts, and what it would download. Where the data
            themselves are still to be downloaded, nothing further is known.
        problem: why the data or the model cannot be had; what comes after it is unknown then.
    """

    task: str
    name: str
    demo: bool
    values: dict[str, tuple[Any, str]]
    extensions: list[str]
    device: str = ""
    precision: str = ""
    precision_why: str = ""
    samples: dict[str, int] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    best: str | None = None
    loader: str = ""
    stages: list[StagePlan] = field(default_factory=list)
    trial: StepTrial | None = None
    problem: VtkError | None = None


def make_plan(resolved: ResolvedRecipe, *, console: Console, trial: bool = False) -> Plan:
    """The plan of a run; with ``trial`` also one batch and one optimizer step on a model that is thrown away."""
    plan = Plan(
        task=resolved.recipe.task,
        name=resolved.recipe.name,
        demo=resolved.demo,
        values=values_with_origins(resolved),
        extensions=list(resolved.extensions),
    )
    with alone(), _scratch(trial) as directory:
        try:
            _fill(plan, resolved, console, directory)
        except VtkError as error:
            plan.problem = error
    return plan


def values_with_origins(resolved: ResolvedRecipe) -> dict[str, tuple[Any, str]]:
    """``{"train.epochs": (10, "recipes/a.yaml:3:5")}``."""
    values = resolved.to_dict()
    return {key: (_at(values, key), origin) for key, origin in resolved.origins.items()}


def _at(values: Any, key: str) -> Any:
    for part in key.split("."):
        values = values[int(part)] if isinstance(values, list) else values[part]
    return values


@contextmanager
def _scratch(wanted: bool) -> Iterator[Path | None]:
    """A directory that vanishes again, for a trial; None where nothing is to be written."""
    if not wanted:
        yield None
        return
    with scratch_directory("vtk-check-") as place:
        yield place


def _fill(plan: Plan, resolved: ResolvedRecipe, console: Console, directory: Path | None) -> None:
    run = new_run(resolved, console=console, directory=directory)
    plan.values = values_with_origins(run.resolved)
    run.dry = True
    plan.device = str(run.device)
    build_data(run)
    plan.data = dict(run.data.plan)
    if run.data.train is None:
        return
    # No pretrained weights are fetched; their values say nothing about shapes, parameters and time.
    run.data.restored = run.data.checked = True
    plan.samples = {split: len(data) for split in ("train", "val", "test") if (data := getattr(run.data, split))}
    build_model(run)
    assert run.precision is not None
    plan.precision, plan.precision_why = run.precision.name, run.precision.why
    plan.best = run.best.metric if run.best else None
    for stage in run.stages:
        plan.stages.append(_plan_stage(plan, run, stage))
    if directory is not None:
        plan.trial = _try_step(run)


def _plan_stage(plan: Plan, run: Run, stage: Stage) -> StagePlan:
    run.stage = stage
    run.hook.vtk_stage_start(run=run, stage=stage)
    with training_loader(run) as loader:
        stage = replace(stage, batches=math.ceil(len(loader) / run.recipe.train.accumulate))
        plan.loader = loader.describe()
        loader.require_shared_memory()
    counts = {True: 0, False: 0}
    for parameter in run.model.parameters():
        counts[parameter.requires_grad] += parameter.numel()
    return StagePlan(
        name=stage.name,
        epochs=stage.total_epochs,
        steps_per_epoch=stage.epoch_steps,
        steps=stage.total_steps,
        optimizer=stage.optimizer.name,
        lr=stage.optimizer.lr,
        schedule=stage.schedule.name,
        trainable=counts[True],
        frozen=counts[False],
        notes=schedule_notes(stage),
    )


def _try_step(run: Run) -> StepTrial:
    """The first batch and the first step of the first stage."""
    enter_stage(run, run.stages[0])
    run.losses = LossMeter()
    run.model.train()
    batches = training_batches(run)
    try:
        started = time.perf_counter()
        batch = next(with_samples(batches))
        fetched = time.perf_counter()
        loss = run.hook.vtk_step(run=run, batch=batch)
        run.losses.add(1, loss, samples_in(batch), 0.0, None)
        record = run.losses.drain()[0]
        done = time.perf_counter()
    finally:
        batches.close()
        run.loader.close()
    first = batch[0] if isinstance(batch, list) else batch
    return StepTrial(
        inputs=describe(inputs_of(first)),
        targets=describe(targets_of(first)),
        batch_seconds=fetched - started,
        step_seconds=done - fetched,
        loss=record["loss"],
    )


def describe(value: Any) -> str:
    """A tensor's shape, type and range; the type's name of anything else."""
    shape = getattr(value, "shape", None)
    if shape is None:
        return type(value).__name__
    kind = str(value.dtype).removeprefix("torch.")
    low, high = (f"{v:.4g}" for v in (value.min().item(), value.max().item())) if value.numel() else ("", "")
    return f"{'×'.join(map(str, shape))} {kind}, {low} to {high}"
