"""Early stopping: end the run once a metric has not improved for some validations."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from toolkit.bounds import Amount, Epochs
from toolkit.hooks.specs import hookimpl
from toolkit.section import Section

if TYPE_CHECKING:
    from toolkit.run.run import Run

NAME = "early_stopping"


class EarlyStoppingOptions(Section):
    """When to stop."""

    metric: str = Field(
        "auto", description="What is watched, e.g. `val/loss`; `auto` watches the metric of `train.best`."
    )
    mode: Literal["auto", "min", "max"] = Field("auto", description="Whether lower or higher is better.")
    patience: Epochs = Field(3, description="Validations in a row without improvement before the run ends.")
    min_delta: Amount = Field(0.0, description="A smaller change is no improvement.")


class Waiting(Section):
    """What a checkpoint keeps."""

    best: Annotated[float, Field(ge=-math.inf, allow_inf_nan=True)] | None
    waited: Annotated[int, Field(ge=0)]
    stage: Annotated[int, Field(ge=0)]


class EarlyStopping:
    """The extension. Its state survives a resume; each stage begins with fresh patience."""

    @hookimpl
    def vtk_config(self) -> type[Section]:
        """The options."""
        return EarlyStoppingOptions

    @hookimpl(wrapper=True)
    def vtk_fit(self, run: Run) -> Generator[None, Any, Any]:
        """Find out what is watched before the first epoch, so that a misspelt metric costs no training."""
        _require_form(run)
        options: EarlyStoppingOptions = run.options(NAME)
        run.local[NAME] = _watched(run, options)
        _tell_of_no_use(run, options, run.local[NAME][0])
        return (yield)

    @hookimpl
    def vtk_epoch_end(self, run: Run, metrics: Mapping[str, float]) -> None:
        """Compare with the best so far, where this epoch has the metric."""
        options: EarlyStoppingOptions = run.options(NAME)
        metric, higher = run.local[NAME]
        state = run.plugin_state(NAME, best=None, waited=0, stage=0)
        if state["stage"] != run.stage.index:
            state.update(stage=run.stage.index, waited=0)
        if metric not in metrics:
            return
        if improves(metrics[metric], state["best"], higher, options.min_delta):
            state.update(best=metrics[metric], waited=0)
            return
        state["waited"] += 1
        if state["waited"] >= options.patience:
            run.stop(_reason(metric, state))


def _require_form(run: Run) -> None:
    """Refuse what a checkpoint says of the waiting, where it makes no sense."""
    if NAME not in run.state:
        return
    from toolkit.run.checkpoint.state_schema import fitting

    with fitting(run, f"the state of {NAME}"):
        Waiting.model_validate(run.state[NAME])


def _tell_of_no_use(run: Run, options: EarlyStoppingOptions, metric: str) -> None:
    """Patience that a run is too short for, where the recipe asks for it: the first value is always an improvement."""
    origin = run.resolved.origins.get(f"extensions.{NAME}.patience", "default")
    every = 1 if metric.startswith("train/") else run.recipe.train.validate_every
    heard = [-(-stage.total_epochs // every) for stage in run.stages]
    if origin != "default" and heard[0] <= options.patience and all(n < options.patience for n in heard[1:]):
        longest = max(heard)
        times = "once" if longest == 1 else f"{longest} times in a stage"
        run.say(
            f"note: extensions.{NAME}.patience is {options.patience} and {metric} is heard of {times}: "
            "the run never stops early"
        )


def improves(value: float, best: float | None, higher_is_better: bool, min_delta: float) -> bool:
    """Whether ``value`` beats ``best`` by more than ``min_delta``; a NaN never does."""
    if value != value:
        return False
    if best is None:
        return True
    gain = value - best if higher_is_better else best - value
    return gain > min_delta


def _watched(run: Run, options: EarlyStoppingOptions) -> tuple[str, bool]:
    """The metric's name and whether higher is better."""
    from toolkit.run.checkpoint.policy import plan_best
    from toolkit.run.directions import higher_is_better

    metric = options.metric
    if metric == "auto":
        best = run.best or plan_best(run, "auto", options.mode)
        assert best is not None
        if options.mode == "auto":
            return best.metric, best.higher_is_better
        metric = best.metric
    key = f"extensions.{NAME}"
    return metric, higher_is_better(run, metric, options.mode, key=f"{key}.metric", mode_key=f"{key}.mode")


def _reason(metric: str, state: Mapping[str, Any]) -> str:
    best = "never was a number" if state["best"] is None else f"has not improved on {state['best']:.4g}"
    return f"early stopping: {metric} {best} for {state['waited']} validations"


extension = EarlyStopping()
