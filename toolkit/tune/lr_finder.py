"""The learning-rate range test: one short pass in which the rate rises until training falls apart.

Smith: Cyclical Learning Rates for Training Neural Networks, 2017.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.errors import ExitCode, VtkError
from toolkit.models.freeze import set_train_mode
from toolkit.run.batches import training_batches, with_samples
from toolkit.run.loop import enter_stage
from toolkit.run.meters import LossMeter
from toolkit.run.step import NonFiniteLoss

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from toolkit.run.run import Run

__all__ = ["RangeTest", "draw_range_test", "find_rate", "smoothed", "suggested"]

# The loss is followed with this momentum, and the test ends where it is so many times its best.
_MOMENTUM = 0.9
_DIVERGED = 4.0
# Below so many rates nothing can be read from the curve.
_FEWEST = 10


@dataclass
class RangeTest:
    """What the test found.

    Attributes:
        rates: of each step, rising.
        losses: before each step's update.
        smooth: the losses followed by :func:`smoothed`.
        steepest: where the smoothed loss falls fastest for a relative change of the rate: a bold choice.
        lowest: where it is lowest: too high already, because the loss is about to rise.
        diverged: the test ended because the loss rose or was no number any more.
    """

    rates: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    smooth: list[float] = field(default_factory=list)
    steepest: float = 0.0
    lowest: float = 0.0
    diverged: bool = False

    @property
    def careful(self) -> float:
        """A tenth of the rate with the lowest loss."""
        return self.lowest / 10


def find_rate(
    run: Run, *, first: float, last: float, steps: int, each: Callable[[int], None] = lambda _step: None
) -> RangeTest:
    """Train the run's first stage for at most ``steps`` steps with rates from ``first`` to ``last``.

    The rates of parameter groups keep their proportions; the recipe's schedule plays no part. The run is used up.

    Args:
        run: ready to train.
        first, last: rates of the first and last step; between them it rises geometrically.
        each: called before each step with its number.

    Raises:
        VtkError: the loss fell apart before anything could be learned.
    """
    enter_stage(run, run.stages[0])
    run.losses, run.outputs, run.scheduler = LossMeter(), None, None
    set_train_mode(run.model)
    top = run.optimizer.param_groups[0]["lr"]
    shares = [group["lr"] / top for group in run.optimizer.param_groups]
    found = RangeTest()
    batches = training_batches(run)
    teaching = with_samples(batches)
    try:
        for number, rate in enumerate(rising(first, last, steps)):
            each(number)
            run.interrupt.check()
            for group, share in zip(run.optimizer.param_groups, shares, strict=True):
                group["lr"] = rate * share
            if not _try(run, next(teaching), rate, found):
                found.diverged = True
                break
    finally:
        run.loader.close()
    return _judged(found)


def rising(first: float, last: float, steps: int) -> list[float]:
    """``steps`` rates, each the same factor above the one before."""
    factor = math.log(last / first) / max(steps - 1, 1)
    return [first * math.exp(factor * step) for step in range(steps)]


def smoothed(losses: Sequence[float]) -> list[float]:
    """Exponential mean with momentum 0.9, corrected for its start at zero."""
    mean, found = 0.0, []
    for count, loss in enumerate(losses, start=1):
        mean = _MOMENTUM * mean + (1 - _MOMENTUM) * loss
        found.append(mean / (1 - _MOMENTUM**count))
    return found


def suggested(rates: Sequence[float], smooth: Sequence[float]) -> tuple[float, float]:
    """The rate of the steepest fall before the lowest point, and that of the lowest point.

    The first tenth is left out: so few losses make no mean.
    """
    start = max(1, len(smooth) // 10)
    bottom = min(range(start, len(smooth)), key=smooth.__getitem__)

    def slope(i: int) -> float:
        return (smooth[i] - smooth[i - 1]) / math.log(rates[i] / rates[i - 1])

    return rates[min(range(start, max(bottom, start) + 1), key=slope)], rates[bottom]


def draw_range_test(found: RangeTest, path: Path) -> None:
    """Loss against rate as a PNG, with both suggestions marked."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), dpi=110, layout="constrained")
    axes = figure.subplots()
    axes.plot(found.rates, found.losses, color="#b0c4de", linewidth=1, label="loss")
    axes.plot(found.rates, found.smooth, color="#1f77b4", linewidth=2, label="smoothed")
    axes.axvline(found.steepest, color="#2ca02c", label=f"steepest fall: {found.steepest:.1e}")
    axes.axvline(found.careful, color="#ff7f0e", label=f"a tenth of the lowest: {found.careful:.1e}")
    axes.axvline(found.lowest, color="#d62728", linestyle="--", label=f"lowest loss: {found.lowest:.1e}")
    axes.set(xscale="log", xlabel="learning rate", ylabel="training loss")
    # What comes after the fall may be any number of times higher, and would squeeze the fall into a line.
    axes.set_ylim(0.9 * min(found.smooth), 1.2 * max(found.smooth[:_FEWEST]))
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, format="png")


def _try(run: Run, batch: object, rate: float, found: RangeTest) -> bool:
    """One step; False where the loss has fallen apart."""
    try:
        loss = run.hook.vtk_step(run=run, batch=batch)
    except NonFiniteLoss:
        return False
    run.losses.add(len(found.rates) + 1, loss, 1, rate, None)
    value = run.losses.drain()[0]["loss"]
    if not math.isfinite(value):
        return False
    found.rates.append(rate)
    found.losses.append(value)
    smooth = smoothed(found.losses)
    return len(smooth) < _FEWEST or smooth[-1] <= _DIVERGED * min(smooth)


def _judged(found: RangeTest) -> RangeTest:
    if len(found.rates) < _FEWEST:
        raise VtkError(
            f"the loss fell apart after {len(found.rates)} steps, too few to read anything from",
            hint="begin with a lower rate: --from 1e-9",
            code=ExitCode.NON_FINITE,
        )
    found.smooth = smoothed(found.losses)
    found.steepest, found.lowest = suggested(found.rates, found.smooth)
    return found
