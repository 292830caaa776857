"""``vtk`` in a process whose address space or number of processes is limited, as by ``ulimit``."""

from __future__ import annotations

import subprocess
import sys

import pytest

from toolkit.cli import app
from toolkit.errors import ExitCode

_LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]) << 20, resource.RLIM_INFINITY))
from toolkit.cli import main
sys.exit(main(sys.argv[2:]))
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit the address space")


def limited(megabytes: int, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", _LIMITED, str(megabytes), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("megabytes", [250, 600])
def test_too_little_to_load_what_trains_is_told_before_it_aborts(megabytes: int) -> None:
    done = limited(megabytes, "run", "digits")
    assert done.returncode == ExitCode.OUT_OF_MEMORY
    assert done.stderr.startswith("error: too little memory to load PyTorch")
    assert "ulimit -v" in done.stderr
    assert "Traceback" not in done.stderr


def test_verbs_and_help_that_need_no_torch_work_under_it() -> None:
    for words in (["recipes", "ls"], ["run", "--help"]):
        done = limited(250, *words)
        assert (done.returncode, done.stderr) == (ExitCode.OK, "")


def test_a_report_for_which_no_memory_is_left_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object, **__: object) -> int:
        raise MemoryError

    monkeypatch.setattr(app, "report", fails)
    assert app.main(["run", "/nowhere/at/all"]) == ExitCode.OUT_OF_MEMORY
    assert capfd.readouterr().err == "error: out of memory\n"
