"""A model that gives its losses itself, and lists instead of tensors, is a task like any other."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from rich.console import Console

from toolkit.hooks.catalogue import Catalogue, Plugin
from toolkit.recipe.load import load_text
from toolkit.run.finish import evaluate_final
from toolkit.run.loop import fit
from toolkit.run.run import Run
from toolkit.run.setup import prepare

RECIPE = """
task: own
train: {epochs: 3, batch_size: 8, accumulate: 2}
loader: {workers: 0}
optimizer: {name: adam, lr: 0.1}
extensions: {checkpoints: false, metrics: false, tensorboard: false, progress: false}
"""


@pytest.fixture
def run(console: Console, tmp_path: Path) -> Run:
    own = Plugin("own", "task", "own_losses_task:plugin", "own", "1.0", "its own losses")
    resolved = load_text(RECIPE, name="own", catalogue=Catalogue([*Catalogue().plugins, own]))
    return prepare(resolved, console=console, directory=tmp_path)


def test_its_terms_are_logged_and_validation_alone_has_metrics(run: Run) -> None:
    fit(run)
    assert {"train/loss", "train/squares", "train/size", "val/loss", "val/squares", "val/error"} <= set(run.history[-1])
    assert "train/error" not in run.history[-1]
    assert run.history[-1]["val/squares"] < run.history[0]["val/squares"]
    assert run.best is not None
    assert (run.best.metric, run.best.higher_is_better) == ("val/error", False)


def test_lists_are_joined_sample_by_sample(run: Run) -> None:
    result = evaluate_final(run)
    assert [len(one["value"]) for one in result.outputs] == [len(target) for target in result.targets]
    assert len(result.outputs) == 20
    errors = torch.cat([one["value"] - t for one, t in zip(result.outputs, result.targets, strict=True)])
    assert result.metrics["error"] == pytest.approx(errors.abs().mean().item(), rel=1e-6)


def test_a_metric_of_training_alone_is_not_offered_as_the_best(run: Run) -> None:
    from toolkit.run.directions import metric_directions

    assert list(metric_directions(run)) == ["val/error", "val/loss", "train/loss"]
