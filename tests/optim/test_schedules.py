"""Rates over time agree with torch's own schedulers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler

from toolkit.optim.optimizer_sections import SGD
from toolkit.optim.schedule_sections import Constant, Cosine, MultiStep, OneCycle, Plateau, Step
from toolkit.optim.schedules import build_schedule, schedule_notes
from toolkit.types.progress import Stage


def optimizer() -> torch.optim.Optimizer:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in (0.1, 0.02)]
    return torch.optim.SGD(groups, lr=1.0)


def stage(epochs: int = 30, batches: int = 7, schedule: Any = None) -> Stage:
    return Stage(0, "s", epochs, None, None, SGD(), schedule or Constant(), batches=batches)


def rates(scheduler: Any, opt: torch.optim.Optimizer, count: int) -> list[list[float]]:
    seen = []
    for _ in range(count):
        seen.append([group["lr"] for group in opt.param_groups])
        opt.step()
        scheduler.step()
    return seen


@pytest.mark.parametrize(
    ("section", "reference", "interval", "count"),
    [
        (Step(name="step", step_size=7, gamma=0.1), lambda o: lr_scheduler.StepLR(o, 7, 0.1), "epoch", 30),
        (
            MultiStep(name="multistep", milestones=[3, 11], gamma=0.5),
            lambda o: lr_scheduler.MultiStepLR(o, [3, 11], 0.5),
            "epoch",
            30,
        ),
        (
            Cosine(name="cosine", t_max=30, eta_min=1e-6),
            lambda o: lr_scheduler.CosineAnnealingLR(o, 30, 1e-6),
            "epoch",
            31,
        ),
        (
            OneCycle(name="onecycle"),
            lambda o: lr_scheduler.OneCycleLR(o, [0.1, 0.02], total_steps=210, cycle_momentum=False),
            "step",
            210,
        ),
    ],
)
def test_agrees_with_torch(
    section: Any, reference: Callable[[torch.optim.Optimizer], Any], interval: str, count: int
) -> None:
    ours, theirs = optimizer(), optimizer()
    schedule, every = build_schedule(section, ours, stage())
    other = reference(theirs)
    assert every == interval
    for mine, torchs in zip(rates(schedule, ours, count - 1), rates(other, theirs, count - 1), strict=True):
        assert mine == pytest.approx(torchs, rel=1e-9, abs=1e-12)


def test_cosine_with_warmup_rises_linearly_and_then_falls_to_the_end() -> None:
    opt = optimizer()
    schedule, every = build_schedule(Cosine(name="cosine", warmup=2, eta_min=0.001), opt, stage(10, 5))
    seen = [r[0] for r in rates(schedule, opt, 51)]
    assert every == "step"
    assert seen[:10] == pytest.approx([0.1 * (t + 1) / 11 for t in range(10)])
    expected = [0.001 + 0.099 * (1 + math.cos(math.pi * t / 40)) / 2 for t in range(41)]
    assert seen[10:] == pytest.approx(expected)


def test_cosine_holds_its_end_after_t_max() -> None:
    opt = optimizer()
    schedule, _ = build_schedule(Cosine(name="cosine", t_max=3, eta_min=0.01), opt, stage())
    assert [r[0] for r in rates(schedule, opt, 10)][4:] == pytest.approx([0.01] * 6)


def test_plateau_drops_after_patience() -> None:
    opt = optimizer()
    schedule, _ = build_schedule(Plateau(name="plateau", patience=1, factor=0.5), opt, stage())
    seen = []
    for value in (1.0, 1.0, 1.0, 1.0, 1.0):
        schedule.step(value)
        seen.append(opt.param_groups[0]["lr"])
    assert seen == pytest.approx([0.1, 0.1, 0.05, 0.05, 0.025])


@pytest.mark.parametrize("section", [Step(name="step", step_size=2), OneCycle(name="onecycle")])
def test_a_stored_schedule_goes_on_where_it_was(section: Any) -> None:
    straight, broken = optimizer(), optimizer()
    one, _ = build_schedule(section, straight, stage())
    two, _ = build_schedule(section, broken, stage())
    expected = rates(one, straight, 12)
    rates(two, broken, 5)
    later = optimizer()
    three, _ = build_schedule(section, later, stage())
    three.load_state_dict(two.state_dict())
    assert rates(three, later, 7) == expected[5:]


@pytest.mark.parametrize("warmup", [0.0, 1.0])
@pytest.mark.parametrize("per_epoch", [None, 60, 100])
def test_a_cosine_over_steps_ends_with_the_last_step(warmup: float, per_epoch: int | None) -> None:
    section = Cosine(name="cosine", warmup=warmup)
    part = Stage(0, "s", None, 100, per_epoch, SGD(), section, batches=40)
    opt = optimizer()
    schedule, every = build_schedule(section, opt, part)
    assert every == "step"
    fall = 100 - round(warmup * (per_epoch or 40))
    if fall > 0:
        seen = rates(schedule, opt, 100)
        assert seen[-1][0] == pytest.approx(0.05 * (1 + math.cos(math.pi * (fall - 1) / fall)))


@pytest.mark.parametrize(
    ("section", "said"),
    [
        (Cosine(name="cosine", t_max=3), "the rest is at eta_min"),
        (Cosine(name="cosine", t_max=50), "cut off"),
        (Cosine(name="cosine", warmup=31), "never reaches its peak"),
        (MultiStep(name="multistep", milestones=[3, 30]), "nothing happens at 30"),
        (Step(name="step", step_size=30), "never drops"),
        (Cosine(name="cosine", warmup=5), None),
        (MultiStep(name="multistep", milestones=[3, 29]), None),
        (OneCycle(name="onecycle"), None),
    ],
)
def test_what_a_stage_is_too_short_for_is_said(section: Any, said: str | None) -> None:
    notes = schedule_notes(stage(30, 7, section))
    assert [said in note for note in notes] == [True] if said else notes == []
