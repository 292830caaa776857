"""What PyTorch raises and the user can mend is told as such; what is left over at an epoch's end is no such case."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from rich.console import Console

from toolkit.errors import ExitCode, VtkError
from toolkit.recipe.resolved import ResolvedRecipe
from toolkit.run.loop import fit
from toolkit.run.run import Run
from toolkit.run.runner import execute

MakeRun = Callable[..., Run]


def test_a_single_sample_that_is_left_does_not_stop_batch_norm(make_run: MakeRun) -> None:
    run = make_run("data.count=9", "model.batch_norm=true")
    fit(run)
    assert run.position.step == 2  # two epochs of one batch of nine
    assert all(torch.isfinite(p).all() for p in run.model.parameters())


def test_batches_of_one_before_batch_norm_are_told(
    recipe: Callable[..., ResolvedRecipe], console: Console, tmp_path: Path
) -> None:
    resolved = recipe("train.batch_size=1", "model.batch_norm=true")
    with pytest.raises(VtkError, match="batch norm") as caught:
        execute(resolved, console=console, out=tmp_path / "run")
    assert caught.value.code == ExitCode.RECIPE
    assert "train.batch_size" in (caught.value.hint or "")
    status = json.loads((tmp_path / "run" / "status.json").read_text())
    assert status["status"] == "failed"
    assert "batch norm" in status["reason"]
