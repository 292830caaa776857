"""What happens between the last step and the bundle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from toolkit import hookimpl
from toolkit.inference.bundle import Bundle
from toolkit.run.finish import finish
from toolkit.run.loop import fit
from toolkit.run.run import Run

pytestmark = pytest.mark.formats

MakeRun = Callable[..., Run]


class Twice(nn.Module):
    """Doubles another model's output."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * self.model(x)


class Afterwards:
    """Remembers what it is given after training."""

    def __init__(self) -> None:
        self.seen: list[tuple[torch.Tensor, torch.Tensor]] = []

    @hookimpl
    def vtk_inference(self, recipe: Any, model: nn.Module) -> nn.Module:
        assert not model.training
        return Twice(model)

    @hookimpl
    def vtk_calibrate(self, run: Run, outputs: torch.Tensor, targets: torch.Tensor) -> None:
        self.seen.append((outputs, targets))
        run.data.meta["middle"] = float(outputs.mean())


@pytest.fixture
def finished(make_run: MakeRun, tmp_path: Path) -> tuple[Run, Afterwards, Any]:
    run, plugin = make_run("train.epochs=1", directory=tmp_path), Afterwards()
    run.plugins.register(plugin)
    fit(run)
    return run, plugin, finish(run)


def test_calibration_gets_the_kept_weights_outputs_on_validation_once(finished: tuple[Run, Afterwards, Any]) -> None:
    run, plugin, result = finished
    ((outputs, targets),) = plugin.seen
    val = run.data.val
    with torch.inference_mode():
        expected = 2 * run.model(torch.stack([val[i].inputs for i in _indices(val)]))
    assert torch.allclose(outputs, expected)
    assert torch.equal(targets, val.y)
    assert torch.equal(result.result.outputs, outputs)


def _indices(dataset: Any) -> list[Any]:
    from toolkit import SampleIndex

    return [SampleIndex(i) for i in range(len(dataset))]


def test_what_calibration_puts_into_meta_is_in_the_bundle(
    finished: tuple[Run, Afterwards, Any], tmp_path: Path
) -> None:
    _, plugin, _ = finished
    assert Bundle.load(tmp_path).meta["middle"] == pytest.approx(float(plugin.seen[0][0].mean()))


def test_the_final_metrics_are_those_of_the_model_as_it_answers(finished: tuple[Run, Afterwards, Any]) -> None:
    run, plugin, result = finished
    ((outputs, targets),) = plugin.seen
    assert result.result.metrics["mae"] == pytest.approx(float((outputs - targets).abs().mean()))
    assert run.history[-1]["val/mae"] != pytest.approx(result.result.metrics["mae"])
