"""One run, one directory."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from toolkit.errors import ExitCode, VtkError
from toolkit.run.directory import open_directory, require_own, require_run
from toolkit.run.status import begin_status, end_status, read_status, write_status
from toolkit.system import lock


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
        with pytest.raises(VtkError, match=f"process {holder.pid}") as refused, open_directory("b", out, False):
            pass
        assert refused.value.code == ExitCode.LOCKED
        assert holder.poll() is None, "it was waited for"
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    with open_directory("b", out, False) as path:
        assert path == out


def test_starts_in_the_same_moment_get_directories_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(time, "strftime", lambda _: "20260101-120000")
    with ThreadPoolExecutor(8) as pool:
        begun = [pool.submit(_begin_one) for _ in range(24)]
        names = {future.result() for future in begun}
    assert len(names) == 24
    assert {path.name for path in (tmp_path / "runs").iterdir()} == names


def _begin_one() -> str:
    with open_directory("a", None, False) as path:
        write_status(path, "running")
        return path.name


def test_a_start_that_is_refused_the_lock_removes_nothing(tmp_path: Path) -> None:
    out, other = tmp_path / "out", FileLock(tmp_path / "out" / ".lock")

    def late(path: Path) -> None:
        other.acquire()
        (path / "split.json").write_text("made by the one that was faster")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lock, "_refuse_link", lambda path: late(out) if path.name == ".lock" else None)
        with pytest.raises(VtkError) as refused, open_directory("a", out, False):
            pass
    other.release()
    assert refused.value.code == ExitCode.LOCKED
    assert (out / "split.json").exists()


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.ESTALE])
def test_a_run_whose_status_cannot_be_looked_at_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    lstat = os.lstat

    def fail(path: str, **more: Any) -> os.stat_result:
        if str(path).endswith("status.json"):
            raise OSError(number, os.strerror(number))
        return lstat(path, **more)

    with pytest.raises(VtkError), open_directory("a", tmp_path / "out", False) as out:  # noqa: PT012
        write_status(out, "running")
        (out / "precious").touch()
        monkeypatch.setattr(os, "lstat", fail)
        raise VtkError("stopped")
    monkeypatch.undo()
    assert (out / "precious").exists()


@pytest.mark.parametrize("name", [".holder", ".lock"])
def test_no_lock_is_taken_through_a_link(tmp_path: Path, name: str) -> None:
    victim, out = tmp_path / "victim", tmp_path / "out"
    victim.write_text("precious")
    out.mkdir()
    (out / name).symlink_to(victim)
    with pytest.raises(VtkError, match="symbolic link") as refused, open_directory("a", out, False):
        pass
    assert refused.value.code == ExitCode.CANNOT_CREATE
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("name", ["checkpoints", "report", "metrics.jsonl", "bundle", "tensorboard/train"])
def test_a_run_with_a_link_that_leads_out_of_it_is_not_gone_on_with(tmp_path: Path, name: str) -> None:
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (run / name).parent.mkdir(parents=True)
    (run / "recipe.yaml").touch()
    (run / name).symlink_to(elsewhere)
    with pytest.raises(VtkError, match="leads out of it") as refused, open_directory("a", run, True):
        pass
    assert refused.value.code == ExitCode.CANNOT_CREATE
    assert list(elsewhere.iterdir()) == []


def test_a_directory_that_is_gone_or_taken_is_not_written_to(tmp_path: Path) -> None:
    with open_directory("a", tmp_path / "out", False) as out:
        write_status(out, "running")
        require_own(out)
        (out / ".holder").write_text("process 1 on another")
        with pytest.raises(VtkError, match="another run"):
            require_own(out)
        out.rename(tmp_path / "moved")
        with pytest.raises(VtkError, match="is gone") as gone:
            require_own(out)
    assert gone.value.code == ExitCode.IO
    assert not out.exists()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="nothing follows a directory here")
def test_a_run_that_was_moved_ends_in_its_new_place(tmp_path: Path) -> None:
    with pytest.raises(VtkError) as ended, open_directory("a", tmp_path / "out", False) as out:  # noqa: PT012
        begin_status(out)
        out.rename(tmp_path / "moved")
        require_own(out)
    assert read_status(tmp_path / "moved")["status"] == "failed"
    assert str(tmp_path / "moved") in str(ended.value.hint)
    assert sorted(path.name for path in (tmp_path / "moved").iterdir()) in ([".lock", "status.json"], ["status.json"])


def test_how_a_run_ended_is_told_even_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin_status(tmp_path)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    trouble = end_status(tmp_path, "failed", reason="a checkpoint did not fit")
    monkeypatch.undo()
    assert trouble is not None
    assert trouble.code == ExitCode.IO
    assert read_status(tmp_path)["status"] == "failed"
    assert [path.name for path in tmp_path.iterdir()] == ["status.json"]


def test_what_a_killed_run_left_half_written_is_gone_when_it_goes_on(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (tmp_path / "recipe.yaml").write_text("task: toy\n")
    (tmp_path / f".bundle.{dead.pid}-0123abcd.tmp").mkdir()
    with open_directory("a", tmp_path, True):
        assert list(tmp_path.glob(".bundle.*")) == []


@pytest.mark.parametrize("content", ["[" * 100_000, '{"status": ["running"]}', "x" * (2 << 20), "3"])
def test_a_status_of_another_form_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "status.json").write_text(content)
    assert read_status(tmp_path) == {}
