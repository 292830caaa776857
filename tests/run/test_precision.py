from __future__ import annotations

from types import SimpleNamespace
from typing import Literal

import pytest
import torch

from toolkit.recipe.sections import TrainSection
from toolkit.run.precision import plan_precision, precision_formats

CUDA = torch.device("cuda")


class NoHalf(TrainSection):
    precision: Literal["auto", "fp32", "bf16"] = "auto"


@pytest.mark.parametrize(
    ("capability", "name"), [((9, 0), "bf16"), ((8, 0), "bf16"), ((7, 5), "fp16"), ((6, 1), "fp32")]
)
def test_auto_takes_what_the_gpu_gains_by(monkeypatch, capability, name):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert plan_precision("auto", CUDA).name == name


def test_auto_stays_within_what_the_tasks_schema_admits(monkeypatch):
    assert precision_formats(SimpleNamespace(train=TrainSection())) == {"fp32", "bf16", "fp16"}
    admitted = precision_formats(SimpleNamespace(train=NoHalf()))
    assert admitted == {"fp32", "bf16"}
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    plan = plan_precision("auto", CUDA, admitted)
    assert plan.name == "fp32"
    assert "the task has no fp16" in plan.why
    assert plan.scaler() is None
