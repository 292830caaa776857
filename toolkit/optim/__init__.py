"""Optimizers, learning-rate schedules and parameter groups, with the recipe sections that name them.

The names below are building blocks for plugins, provisional until 1.0; what lies in the modules is private.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.lazy import lazy_names

if TYPE_CHECKING:
    from toolkit.optim.groups import depth_factors, parameter_groups, undecayed
    from toolkit.optim.optimizer_sections import LBFGS, SGD, Adam, AdamW, OptimizerChoice
    from toolkit.optim.optimizers import build_optimizer, make_optimizer
    from toolkit.optim.schedule_sections import Constant, Cosine, MultiStep, OneCycle, Plateau, ScheduleChoice, Step
    from toolkit.optim.schedules import scheduled

_HOMES = {
    "toolkit.optim.groups": "depth_factors parameter_groups undecayed",
    "toolkit.optim.optimizer_sections": "Adam AdamW LBFGS OptimizerChoice SGD",
    "toolkit.optim.optimizers": "build_optimizer make_optimizer",
    "toolkit.optim.schedule_sections": "Constant Cosine MultiStep OneCycle Plateau ScheduleChoice Step",
    "toolkit.optim.schedules": "scheduled",
}
__all__ = [
    "LBFGS",
    "SGD",
    "Adam",
    "AdamW",
    "Constant",
    "Cosine",
    "MultiStep",
    "OneCycle",
    "OptimizerChoice",
    "Plateau",
    "ScheduleChoice",
    "Step",
    "build_optimizer",
    "depth_factors",
    "make_optimizer",
    "parameter_groups",
    "scheduled",
    "undecayed",
]
__getattr__, __dir__ = lazy_names(__name__, _HOMES)
