"""One run, one directory."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from toolkit.errors import ExitCode, VtkError
from toolkit.run.directory import open_directory, read_status, require_run, write_status


def test_a_new_run_gets_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with open_directory("a", None, False) as first:
        write_status(first, "running")
        with open_directory("a", None, False) as second:
            assert first != second
            assert first.parent == Path("runs")


def test_what_fails_before_it_runs_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(VtkError), open_directory("a", None, False):
        raise VtkError("no such data")
    assert list(tmp_path.iterdir()) == []


def test_what_fails_after_it_began_is_kept(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(VtkError), open_directory("a", out, False):  # noqa: PT012
        write_status(out, "running")
        raise VtkError("later")
    assert read_status(out)["status"] == "running"


def test_a_folder_that_was_there_before_is_never_removed(tmp_path: Path) -> None:
    with pytest.raises(VtkError), open_directory("a", tmp_path, False):
        raise VtkError("no such data")
    assert tmp_path.is_dir()
    (tmp_path / "results").mkdir()
    with pytest.raises(VtkError), open_directory("a", tmp_path / "results" / "first", False):
        raise VtkError("no such data")
    assert list((tmp_path / "results").iterdir()) == []


def test_another_run_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("task: x\n")
    write_status(tmp_path, "finished")
    with (
        pytest.raises(VtkError, match=r"already holds a run \(finished\)") as refused,
        open_directory("a", tmp_path, False),
    ):
        pass
    assert refused.value.code == ExitCode.CANNOT_CREATE
    assert "--resume" in str(refused.value.hint)


def test_strange_files_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").write_text("years of work")
    with pytest.raises(VtkError, match="is not empty"), open_directory("a", tmp_path, False):
        pass


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_text("x")
    with pytest.raises(VtkError, match="is a file") as refused, open_directory("a", out, False):
        pass
    assert refused.value.code == ExitCode.CANNOT_CREATE


def test_resuming_what_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(VtkError, match="does not exist") as missing, open_directory("a", tmp_path / "no", True):
        pass
    assert missing.value.code == ExitCode.NO_INPUT
    with pytest.raises(VtkError, match="is not the directory of a run"):
        require_run(tmp_path)


HOLDER = (
    "import sys, time; from pathlib import Path; from toolkit.run.directory import open_directory\n"
    "with open_directory('a', Path(sys.argv[1]), False):\n"
    "    print('held', flush=True); time.sleep(60)\n"
)


def test_a_second_run_is_refused_naming_the_holder_and_a_killed_holder_frees_the_lock(tmp_path: Path) -> None:
    out = tmp_path / "out"
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(out)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "held\n"
        began = time.monotonic()
        with pytest.raises(VtkError, match=f"process {holder.pid}") as refused, open_directory("b", out, False):
            pass
        assert refused.value.code == ExitCode.LOCKED
        assert time.monotonic() - began < 2
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    with open_directory("b", out, False) as path:
        assert path == out
