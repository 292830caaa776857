"""Which metrics an epoch will have, and whether more of each is better: known before training, in one place.

The best weights, plateau schedules and early stopping ask here, so a misspelt name costs no training.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from toolkit.errors import ExitCode, VtkError
from toolkit.optim.schedule_sections import Plateau

if TYPE_CHECKING:
    from toolkit.run.run import Run

Mode = Literal["auto", "min", "max"]


def metric_directions(run: Run) -> dict[str, bool | None]:
    """Whether higher is better, for each metric that an epoch will have; the loss comes after a split's metrics.

    None for a metric that does not say so: torchmetrics calls it ``higher_is_better``.
    """
    splits = ["train"] if run.data.val is None else ["val", "train"]
    found: dict[str, bool | None] = {}
    for split in splits:
        metrics = run.plugins.call("vtk_metrics", recipe=run.recipe, data=run.data, split=split)
        for name, metric in metrics.items() if metrics is not None else ():
            found[f"{split}/{name}"] = metric.higher_is_better
        found[f"{split}/loss"] = False
    return found


def higher_is_better(run: Run, metric: str, mode: Mode, *, key: str, mode_key: str, instead: str = "") -> bool:
    """The direction of a metric that a recipe names.

    Args:
        metric: its name, such as ``val/accuracy``.
        mode: ``min`` or ``max`` where the recipe says the direction itself.
        key, mode_key: where the recipe names the metric, and where it may name the direction.
        instead: what else the key may be.

    Raises:
        VtkError: there is no such metric, or nobody says its direction.
    """
    directions = metric_directions(run)
    if metric not in directions:
        origin = run.resolved.origins.get(key)
        raise VtkError(
            f"{key}: there is no metric {metric!r}",
            place=None if origin == "default" else origin,
            hint=f"There are: {', '.join(directions)}{instead}.",
            code=ExitCode.RECIPE,
        )
    known = directions[metric] if mode == "auto" else mode == "max"
    if known is None:
        raise VtkError(
            f"{key}: nobody says whether more or less of {metric!r} is better",
            place=run.resolved.origins.get(key),
            hint=f"Set {mode_key} to max or min. A plugin's metric says so by its attribute higher_is_better.",
            code=ExitCode.RECIPE,
        )
    return known


def plan_plateaus(run: Run) -> None:
    """Find out the direction of what each stage's plateau schedule watches.

    Raises:
        VtkError: as :func:`higher_is_better`.
    """
    for place, stage in enumerate(run.stages):
        schedule = stage.schedule
        if isinstance(schedule, Plateau):
            own = stage.section is not None and stage.section.schedule is not None
            key = f"stages.{place}.schedule" if own else "schedule"
            found = higher_is_better(run, schedule.metric, schedule.mode, key=f"{key}.metric", mode_key=f"{key}.mode")
            run.stages[place] = replace(stage, higher_is_better=found)
