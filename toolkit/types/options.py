"""Small values that hooks hand to the core."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch.optim import Optimizer


@dataclass(frozen=True)
class Option:
    """A command-line flag of ``vtk run`` and ``vtk check`` that stands for a recipe key.

    Args:
        flag: the long flag, e.g. ``--content``; none that a verb which takes a recipe has itself, e.g. ``--out``.
        key: the dotted recipe key, e.g. ``data.content``.
        help: one line for ``--help``.
        multiple: the flag may be repeated; the key receives the list.
        metavar: how the value is named in ``--help``.
    """

    flag: str
    key: str
    help: str
    multiple: bool = False
    metavar: str | None = None


@dataclass
class OptimizerSetup:
    """An optimizer, and the schedule that the core steps for it.

    Args:
        optimizer: any ``torch.optim.Optimizer``; called as ``optimizer.step(closure)``.
        scheduler: a ``torch.optim.lr_scheduler`` object, or None for a constant rate.
        interval: whether the schedule advances after each step or each epoch. A plateau schedule is stepped
            after each epoch with the value of ``metric``.
        metric: what a plateau schedule watches, e.g. ``val/loss``.
    """

    optimizer: Optimizer
    scheduler: Any = None
    interval: Literal["step", "epoch"] = "epoch"
    metric: str | None = None
