"""From exceptions to messages and exit codes."""

from __future__ import annotations

import errno

import click
import pytest

from toolkit.cli.failures import report
from toolkit.errors import ExitCode, VtkError
from toolkit.system.signals import Interrupted

EXIT_HINT = "\n  only vtk itself may end: its author must raise toolkit.VtkError, or return\n"


class OutOfMemoryError(RuntimeError):
    """Named like torch's."""


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (VtkError("broken"), ExitCode.DATA, "error: broken\n"),
        (
            VtkError("broken", place="a.yaml:3:5", hint="mend it\nor not", code=ExitCode.RECIPE),
            ExitCode.RECIPE,
            "error: a.yaml:3:5: broken\n  mend it\n  or not\n",
        ),
        (click.UsageError("no such thing"), ExitCode.USAGE, "error: no such thing\n"),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED, "interrupted\n"),
        (click.Abort(), ExitCode.INTERRUPTED, "interrupted\n"),
        (Interrupted(ExitCode.TERMINATED), ExitCode.TERMINATED, "interrupted (terminated)\n"),
        (
            OSError(errno.ENOSPC, "full", "/data/x"),
            ExitCode.IO,
            "error: /data/x: No space left on device\n  Free some space, or name another place.\n",
        ),
        (SystemExit(3), ExitCode.UNAVAILABLE, f"error: a plugin or a library called sys.exit(3){EXIT_HINT}"),
        (SystemExit(None), ExitCode.UNAVAILABLE, f"error: a plugin or a library called sys.exit(){EXIT_HINT}"),
        (SystemExit("a\nb"), ExitCode.UNAVAILABLE, f"error: a plugin or a library called sys.exit('a b'){EXIT_HINT}"),
    ],
)
def test_what_a_user_can_mend(error: BaseException, code: int, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert report(error) == code
    assert capsys.readouterr() == ("", text)


@pytest.mark.parametrize("error", [MemoryError(), OutOfMemoryError("tried to allocate 2 GiB\nmore")])
def test_out_of_memory(error: BaseException, capsys: pytest.CaptureFixture[str]) -> None:
    assert report(error) == ExitCode.OUT_OF_MEMORY
    err = capsys.readouterr().err
    assert err.startswith("error: out of memory")
    assert "train.batch_size" in err
    assert "more" not in err.splitlines()[0]


def test_only_a_bug_shows_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> None:
        raise ZeroDivisionError("oh")

    with pytest.raises(ZeroDivisionError) as caught:
        fails()
    assert report(caught.value) == ExitCode.BUG
    err = capsys.readouterr().err
    assert err.startswith("Traceback")
    assert "in fails" in err
    assert "this is a bug" in err.splitlines()[-1]
