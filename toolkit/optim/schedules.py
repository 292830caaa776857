"""Learning rates over time, computed from the step or epoch number alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from torch.optim.lr_scheduler import ReduceLROnPlateau

from toolkit.optim.schedule_sections import Constant, Cosine, MultiStep, OneCycle, Plateau, Step
from toolkit.types.options import OptimizerSetup

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch.optim import Optimizer

    from toolkit.types.progress import Stage

Interval = Literal["step", "epoch"]


class ClosedFormSchedule:
    """Sets each parameter group's rate to ``rate(base, t)``, where ``t`` counts calls of :meth:`step`.

    ``base`` is the group's rate when the schedule was made. An advance costs about a microsecond.
    """

    def __init__(self, optimizer: Optimizer, rate: Callable[[float, int], float]) -> None:
        self.optimizer = optimizer
        self.rate = rate
        self.bases = [float(group["lr"]) for group in optimizer.param_groups]
        self.t = 0
        self._apply()

    def step(self) -> None:
        """Advance by one step or epoch."""
        self.t += 1
        self._apply()

    def _apply(self) -> None:
        for group, base in zip(self.optimizer.param_groups, self.bases, strict=True):
            group["lr"] = self.rate(base, self.t)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint needs."""
        return {"t": self.t, "bases": list(self.bases)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of :meth:`state_dict`."""
        self.t, self.bases = int(state["t"]), [float(b) for b in state["bases"]]
        self._apply()


def scheduled(optimizer: Optimizer, stage: Stage) -> OptimizerSetup:
    """The optimizer with the schedule that the stage names."""
    scheduler, interval = build_schedule(stage.schedule, optimizer, stage)
    metric = stage.schedule.metric if isinstance(stage.schedule, Plateau) else None
    return OptimizerSetup(optimizer, scheduler, interval, metric)


def build_schedule(section: Any, optimizer: Optimizer, stage: Stage) -> tuple[Any, Interval]:
    """The schedule that a recipe section names, and how often it advances."""
    if isinstance(section, Constant):
        return None, "epoch"
    if isinstance(section, Plateau):
        mode: Literal["min", "max"] = "max" if stage.higher_is_better else "min"
        plateau = ReduceLROnPlateau(
            optimizer, mode=mode, factor=section.factor, patience=section.patience, min_lr=section.min_lr
        )
        return plateau, "epoch"
    rate, interval = _closed_form(section, stage)
    return ClosedFormSchedule(optimizer, rate), interval


def _closed_form(section: Any, stage: Stage) -> tuple[Callable[[float, int], float], Interval]:
    if isinstance(section, Step):
        return step_rate(section), "epoch"
    if isinstance(section, MultiStep):
        return multistep_rate(section), "epoch"
    if isinstance(section, OneCycle):
        return onecycle_rate(section, stage.total_steps), "step"
    # The last epoch of a stage that counts steps may be short, and its only one: epochs are too coarse for its fall.
    if section.warmup or stage.steps is not None:
        return cosine_rate(section, stage.total_steps, stage.epoch_steps), "step"
    return cosine_rate(section, stage.total_epochs, 1), "epoch"


def schedule_notes(stage: Stage) -> list[str]:
    """What of the stage's schedule will not happen within it, or be over before it ends."""
    section, epochs = stage.schedule, stage.total_steps / max(stage.epoch_steps, 1)
    length = f"the stage has {epochs:.3g} epochs"
    notes = []
    if isinstance(section, Cosine):
        end = section.warmup + (section.t_max or 0)
        if section.warmup >= epochs:
            notes.append(f"schedule.warmup is {section.warmup:g} epochs and {length}: the rate never reaches its peak")
        elif section.t_max is not None and end < epochs:
            notes.append(f"schedule.t_max: the fall is over after {end:g} epochs and {length}: the rest is at eta_min")
        elif section.t_max is not None and end > epochs:
            notes.append(f"schedule.t_max: the fall would take {end:g} epochs and {length}: it is cut off")
    if isinstance(section, MultiStep):
        late = [str(milestone) for milestone in section.milestones if milestone >= epochs]
        if late:
            notes.append(f"schedule.milestones: {length}, so nothing happens at {', '.join(late)}")
    if isinstance(section, Step) and section.step_size >= epochs:
        notes.append(f"schedule.step_size is {section.step_size} and {length}: the rate never drops")
    if isinstance(section, Plateau) and section.patience + 1 >= epochs:
        notes.append(f"schedule.patience is {section.patience} and {length}: the rate never drops")
    return notes


def step_rate(section: Step) -> Callable[[float, int], float]:
    """base · gamma^⌊epoch / step_size⌋."""
    return lambda base, t: base * section.gamma ** (t // section.step_size)


def multistep_rate(section: MultiStep) -> Callable[[float, int], float]:
    """base · gamma^(milestones passed)."""
    return lambda base, t: base * section.gamma ** sum(t >= m for m in section.milestones)


def cosine_rate(section: Cosine, length: int, per_epoch: int) -> Callable[[float, int], float]:
    """Linear warm-up, then eta_min + (base − eta_min)·(1 + cos(π·progress))/2, held at eta_min after ``t_max``.

    Args:
        section: warm-up and fall, in epochs.
        length: of the stage, in what ``t`` counts.
        per_epoch: how many of those make an epoch.
    """
    warmup = round(section.warmup * per_epoch)
    fall = max(length - warmup, 1) if section.t_max is None else section.t_max * per_epoch

    def rate(base: float, t: int) -> float:
        if t < warmup:
            return base * (t + 1) / (warmup + 1)
        progress = min((t - warmup) / fall, 1.0)
        floor = min(section.eta_min, base)  # a group of layers may learn more slowly than that from the start
        return floor + (base - floor) * (1 + math.cos(math.pi * progress)) / 2

    return rate


def onecycle_rate(section: OneCycle, total: int) -> Callable[[float, int], float]:
    """The cosine form of the one-cycle policy over ``total`` steps; the optimizer's rate is the peak."""
    peak_at = max(section.pct_start * total - 1, 1e-9)
    end_at = max(total - 1, 1)

    def rate(base: float, t: int) -> float:
        first = base / section.div_factor
        if t <= peak_at:
            return _anneal(first, base, t / peak_at)
        return _anneal(base, first / section.final_div_factor, min((t - peak_at) / (end_at - peak_at), 1.0))

    return rate


def _anneal(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
