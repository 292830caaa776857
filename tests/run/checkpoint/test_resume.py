"""A run that was killed and resumed ends where the run that was left alone ends, to the bit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HELPERS = Path(__file__).parents[2] / "helpers"


def kill_and_resume(folder: Path, trials: int, workers: int, precision: str) -> dict[str, object]:
    command = [sys.executable, str(HELPERS / "kill_and_resume.py"), str(folder), str(trials), str(workers), precision]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["failed"] == [], done.stderr
    return dict(result)


@pytest.mark.parametrize(("workers", "precision", "trials"), [(0, "fp32", 5), (2, "fp32", 5), (2, "bf16", 3)])
def test_killed_runs_resume_exactly(tmp_path: Path, workers: int, precision: str, trials: int) -> None:
    assert kill_and_resume(tmp_path, trials, workers, precision)["kills"] >= trials - 1


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("workers", [0, 2])
def test_fifty_killed_runs_resume_exactly(tmp_path: Path, workers: int, precision: str) -> None:
    assert kill_and_resume(tmp_path, 50, workers, precision)["equal"] == 50
