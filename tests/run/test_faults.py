"""Whatever the disk refuses, and when: nothing is lost, nothing is told wrong, and nothing is a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TRIALS = Path(__file__).parents[1] / "helpers" / "fault_trials.py"


def tried(folder: Path, *options: str) -> int:
    """How many faults were tried; each came to a right end."""
    command = [sys.executable, str(TRIALS), str(folder), *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    wrong = [line for line in done.stderr.splitlines() if line.startswith("vtk ")]
    assert wrong == []
    assert done.returncode == 0, done.stderr[-2000:]
    return int(done.stdout.splitlines()[-1].split("|")[3].replace(",", ""))


def test_a_call_of_each_kind_fails_in_commands_that_write(tmp_path: Path) -> None:
    assert tried(tmp_path, "--every", "150", "--only", "run", "--only", "predict --csv") >= 10


@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
def test_every_call_fails_in_every_command(tmp_path: Path) -> None:
    assert tried(tmp_path) >= 2000
