"""Whoever reads along may leave, and nobody need be there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from toolkit.errors import ExitCode

pytestmark = pytest.mark.skipif(os.name != "posix", reason="handles and pipes as POSIX has them")

VTK = [sys.executable, "-m", "toolkit.cli"]


def after_the_reader_left(*args: str, buffered: bool, stderr: bool = False) -> tuple[int, str]:
    """Exit code and the other stream of a process whose stdout (or stderr) is a pipe that nobody reads."""
    read, write = os.pipe()
    os.close(read)
    environment = {**os.environ, "PYTHONUNBUFFERED": "" if buffered else "1"}
    streams = {"stdout": subprocess.PIPE, "stderr": write} if stderr else {"stdout": write, "stderr": subprocess.PIPE}
    try:
        done = subprocess.run([*VTK, *args], env=environment, text=True, check=False, **streams)
    finally:
        os.close(write)
    return done.returncode, done.stdout if stderr else done.stderr


@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.parametrize("verb", [("plugins",), ("recipes", "ls"), ("plugins", "--json"), ("--help",)])
def test_a_verb_whose_reader_left_ends_quietly_and_as_a_shell_shows_it(verb: tuple[str, ...], buffered: bool) -> None:
    assert after_the_reader_left(*verb, buffered=buffered) == (ExitCode.READER_LEFT, "")


def test_what_nobody_reads_on_stderr_changes_nothing() -> None:
    code, out = after_the_reader_left("plugins", buffered=True, stderr=True)
    assert code == ExitCode.OK
    assert out.startswith("name ")
    assert after_the_reader_left("run", "no-such-recipe", buffered=True, stderr=True) == (ExitCode.NO_INPUT, "")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_fault_and_no_file_takes_their_place(closed: str, tmp_path: Path) -> None:
    script = f'"$0" -m toolkit.cli recipes cp digits {tmp_path}/mine.yaml {closed}'
    done = subprocess.run(["sh", "-c", script, sys.executable], capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (ExitCode.OK, False)
    assert (tmp_path / "mine.yaml").read_text().count("task:") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_under_stdout_is_told(unbuffered: str) -> None:
    with open("/dev/full", "w") as full:
        environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
        done = subprocess.run(
            [*VTK, "plugins"], stdout=full, stderr=subprocess.PIPE, env=environment, text=True, check=False
        )
    assert done.returncode == ExitCode.IO
    assert done.stderr.startswith("error: standard output: No space left on device\n")


LIMITED = (
    "import resource, signal, sys\n"
    "from toolkit.cli import main\n"
    "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
    "sys.exit(main(['plugins', '--json']))\n"
)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_place_that_takes_only_a_part_is_told(unbuffered: str, tmp_path: Path) -> None:
    whole = subprocess.run([sys.executable, "-m", "toolkit.cli", "plugins", "--json"], capture_output=True, check=True)
    assert len(whole.stdout) > 1000
    with (tmp_path / "short").open("wb") as short:
        done = subprocess.run(
            [sys.executable, "-c", LIMITED],
            stdout=short,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            check=False,
        )
    assert (tmp_path / "short").stat().st_size == 1000
    assert done.returncode == ExitCode.IO
    assert b"Traceback" not in done.stderr
