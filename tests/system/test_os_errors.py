"""What the system refuses is told with its path and its exit code; a bug of ours is not."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

import toolkit
from toolkit.errors import ExitCode
from toolkit.system.os_errors import os_error, resource_error


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOENT, ExitCode.NO_INPUT),
        (errno.ENOTDIR, ExitCode.NO_INPUT),
        (errno.ENAMETOOLONG, ExitCode.NO_INPUT),
        (errno.ELOOP, ExitCode.NO_INPUT),
        (errno.EROFS, ExitCode.CANNOT_CREATE),
        (errno.EEXIST, ExitCode.CANNOT_CREATE),
        (errno.ENOSPC, ExitCode.IO),
        (errno.EDQUOT, ExitCode.IO),
        (errno.EIO, ExitCode.IO),
        (errno.ESTALE, ExitCode.IO),
        (errno.EMFILE, ExitCode.OUT_OF_MEMORY),
        (errno.ENOMEM, ExitCode.OUT_OF_MEMORY),
        (errno.EAGAIN, ExitCode.OUT_OF_MEMORY),
    ],
)
def test_each_refusal_has_its_code_and_its_path(number: int, code: ExitCode, tmp_path: Path) -> None:
    place = str(tmp_path / "no" / "such")
    told = os_error(OSError(number, os.strerror(number), place))
    assert told is not None
    assert (told.code, told.place) == (code, place)
    assert os.strerror(number) in told.message


def test_what_could_not_be_made_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for attempt in (
        lambda: (tmp_path / "file" / "sub").mkdir(),
        lambda: (tmp_path / "file" / "text").write_text("x"),
        lambda: os.makedirs(tmp_path / "file" / "a" / "b"),
    ):
        with pytest.raises(OSError, match="Not a directory") as caught:
            attempt()
        told = os_error(caught.value)
        assert told is not None
        assert (told.code, str(tmp_path / "file") in str(told.place)) == (ExitCode.CANNOT_CREATE, True)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_failed_write_names_the_file_that_was_open() -> None:
    def written() -> None:
        with open("/dev/full", "w") as file:
            file.write("x")
            file.flush()

    with pytest.raises(OSError, match="No space") as caught:
        written()
    told = os_error(caught.value)
    assert told is not None
    assert (told.place, told.code) == ("/dev/full", ExitCode.IO)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EBADF, "Bad file descriptor"),
        OSError(errno.EINVAL, "Invalid argument"),
        OSError("a library's own"),
        FileNotFoundError(errno.ENOENT, "No such file", str(Path(toolkit.__file__).parent / "scaffold" / "lost")),
        FileNotFoundError(errno.ENOENT, "No such file"),
        ConnectionRefusedError(errno.ECONNREFUSED, "refused"),
        ValueError("no"),
    ],
)
def test_what_only_wrong_code_meets_stays_a_bug(error: Exception) -> None:
    assert os_error(error) is None
    assert resource_error(error) is None


@pytest.mark.parametrize(
    ("error", "code", "word"),
    [
        (RuntimeError("can't start new thread"), ExitCode.OUT_OF_MEMORY, "ulimit -u"),
        (
            RuntimeError("unable to allocate shared memory(shm) for file </torch_1_2_0>: No space left on device (28)"),
            ExitCode.IO,
            "--shm-size",
        ),
        (
            RuntimeError("unable to allocate shared memory(shm) for file </torch_1_2_0>: Success (0)"),
            ExitCode.IO,
            "--shm-size",
        ),
        (
            RuntimeError(
                "DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that dataloader's workers "
                "are out of shared memory."
            ),
            ExitCode.IO,
            "--shm-size",
        ),
        (RuntimeError("received 0 items of ancdata"), ExitCode.OUT_OF_MEMORY, "ulimit -n"),
        (
            ImportError("libtorch_cpu.so: failed to map segment from shared object: Cannot allocate memory"),
            ExitCode.OUT_OF_MEMORY,
            "memory",
        ),
    ],
)
def test_what_has_run_out_is_named(error: Exception, code: ExitCode, word: str) -> None:
    told = resource_error(error)
    assert told is not None
    assert (told.code, word in str(told)) == (code, True)


def test_a_folder_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    here.rmdir()
    with pytest.raises(FileNotFoundError) as caught:
        os.getcwd()
    told = os_error(caught.value)
    assert told is not None
    assert told.message == "the current folder is gone"
