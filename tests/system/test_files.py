"""A file is whole or as it was, lies where it was meant to, and may be read by whom the user lets."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolkit.errors import ExitCode, VtkError
from toolkit.system.disk_errors import input_error, read_error, write_error
from toolkit.system.files import open_new, read_limited, sweep, sync_directory, whole_file, write_atomic


@pytest.fixture(params=[0o022, 0o027, 0o077, 0o002])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_files_have_the_permissions_that_the_umask_leaves(tmp_path: Path, umask: int) -> None:
    write_atomic(tmp_path / "a.json", "{}")
    with whole_file(tmp_path / "b.png") as path:
        path.write_bytes(b"picture")
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a.json", "b.png")] == [0o666 & ~umask] * 2


def test_a_link_is_replaced_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    victim, link = tmp_path / "victim", tmp_path / "run.json"
    victim.write_text("precious")
    link.symlink_to(victim)
    write_atomic(link, "new")
    assert (victim.read_text(), link.read_text(), link.is_symlink()) == ("precious", "new", False)
    link.unlink()
    link.symlink_to(victim)
    with pytest.raises(FileExistsError):
        open_new(link)


def test_what_fails_half_way_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "curves.png"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), whole_file(path) as half:  # noqa: PT012
        half.write_bytes(b"ne")
        raise ZeroDivisionError
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_picture_keeps_its_suffix_while_it_is_drawn(tmp_path: Path) -> None:
    with whole_file(tmp_path / "curves.png") as path:
        assert (path.parent, path.suffix) == (tmp_path, ".png")
        path.touch()


def test_no_file_makes_the_folder_that_it_lies_in(tmp_path: Path) -> None:
    with pytest.raises(VtkError) as gone:
        write_atomic(tmp_path / "gone" / "a", "text")
    assert gone.value.code == ExitCode.CANNOT_CREATE
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "code", "says"),
    [
        (errno.ENOSPC, ExitCode.IO, "Free some space"),
        (errno.EDQUOT, ExitCode.IO, "quota"),
        (errno.EFBIG, ExitCode.IO, "ulimit -f"),
        (errno.EMFILE, ExitCode.OUT_OF_MEMORY, "ulimit -n"),
        (errno.EIO, ExitCode.IO, "disk or the network share"),
        (errno.EACCES, ExitCode.CANNOT_CREATE, "may write to with --out"),
        (errno.ELOOP, ExitCode.CANNOT_CREATE, "symbolic link"),
    ],
)
def test_each_refusal_of_the_disk_is_told_with_its_own_remedy(number: int, code: ExitCode, says: str) -> None:
    told = write_error(Path("/no/such/folder/file"), OSError(number, os.strerror(number)), 10)
    assert told.code == code
    assert says in str(told.hint)
    assert "--resume" not in str(told)


def test_a_failed_read_says_nothing_about_the_file(tmp_path: Path) -> None:
    told = read_error(tmp_path, OSError(errno.EIO, os.strerror(errno.EIO)))
    assert told.code == ExitCode.IO
    assert "damaged" not in str(told)


def test_a_folder_that_cannot_be_synced_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(number: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", lambda _: fail(errno.EIO))
    with pytest.raises(OSError, match="Input/output"):
        sync_directory(tmp_path)
    monkeypatch.setattr(os, "fsync", lambda _: fail(errno.EINVAL))  # a file system that has no such thing
    sync_directory(tmp_path)


def test_what_a_killed_process_left_half_written_is_swept_and_nothing_else(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    kept = [f".a.json.{os.getpid()}-0123abcd.tmp.json", ".bundle.old.tmp", "notes.tmp", f".mine.{dead.pid}.tmp"]
    for name in (*kept, f".status.json.{dead.pid}-0123abcd.tmp.json"):
        (tmp_path / name).write_text("x")
    half = tmp_path / f".bundle.{dead.pid}-0123abcd.tmp"
    half.mkdir()
    (half / "bundle.json").write_text("{")
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)


def test_a_file_larger_than_any_such_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert read_limited(tmp_path / "a", 5) == b"12345"
    with pytest.raises(VtkError, match="is larger than") as large:
        read_limited(tmp_path / "a", 4)
    assert large.value.code == ExitCode.DATA


CODES = {errno.ENOENT: 66, errno.EACCES: 66, errno.EIO: 74, errno.ESTALE: 74, errno.EMFILE: 71, errno.ENOMEM: 71}


@pytest.mark.parametrize(("number", "code"), CODES.items())
def test_a_file_that_cannot_be_read_is_told_apart_from_a_disk_that_fails(number: int, code: int) -> None:
    assert input_error("a", OSError(number, os.strerror(number))).code == code
