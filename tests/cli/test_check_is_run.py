"""``vtk check`` says yes exactly where ``vtk run`` works: both, side by side, over surroundings of all kinds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from toolkit.cli import main
from toolkit.errors import ExitCode

TINY = ["--set", "train.epochs=1", "--set", "data.limit=40", "--set", "loader.workers=0"]


def _file_as_runs() -> list[str]:
    Path("runs").write_text("")
    return []


def _file_as_out() -> list[str]:
    Path("out").write_text("")
    return ["--out", "out"]


def _file_above_out() -> list[str]:
    Path("out").write_text("")
    return ["--out", "out/run"]


def _full_out() -> list[str]:
    Path("out").mkdir()
    Path("out/letter.txt").write_text("")
    return ["--out", "out"]


def _empty_out() -> list[str]:
    Path("out").mkdir()
    return ["--out", "out"]


def _dangling_out() -> list[str]:
    Path("out").symlink_to("nowhere")
    return ["--out", "out"]


SURROUNDINGS: dict[str, tuple[Callable[[], list[str]], int]] = {
    "nothing there": (list, ExitCode.OK),
    "runs is a file": (_file_as_runs, ExitCode.CANNOT_CREATE),
    "out is a file": (_file_as_out, ExitCode.CANNOT_CREATE),
    "a file above out": (_file_above_out, ExitCode.CANNOT_CREATE),
    "out holds something": (_full_out, ExitCode.CANNOT_CREATE),
    "out is empty": (_empty_out, ExitCode.OK),
    "out leads nowhere": (_dangling_out, ExitCode.CANNOT_CREATE),
    "out is to be made with its parents": (lambda: ["--out", "a/b/c"], ExitCode.OK),
    "too long a name": (lambda: ["--out", 300 * "n"], ExitCode.CANNOT_CREATE),
}


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_check_and_run_agree(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    prepare, code = SURROUNDINGS[name]
    words = ["digits", *TINY, *prepare()]
    before = sorted(tmp_path.rglob("*"))
    assert main(["check", *words]) == code
    assert sorted(tmp_path.rglob("*")) == before
    assert main(["run", "-q", *words]) == code
