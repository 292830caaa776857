from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def kill_and_resume(folder, trials, precision):
    script = Path(__file__).with_name("kill_and_resume.py")
    command = [sys.executable, str(script), str(folder), str(trials), precision]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(("precision", "trials"), [("fp32", 3), ("bf16", 2)])
def test_a_killed_run_gives_the_same_picture_to_the_bit(tmp_path, precision, trials):
    result = kill_and_resume(tmp_path, trials, precision)
    assert result["equal"] == trials
    assert result["kills"] >= trials


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_thirty_killed_runs_give_the_same_picture_to_the_bit(tmp_path, precision):
    assert kill_and_resume(tmp_path, 30, precision)["equal"] == 30
