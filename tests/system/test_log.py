"""What a run says also goes to the logger ``toolkit``, from which it can be sent on; nothing is printed twice."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from toolkit.cli import main
from toolkit.system.log import log_said, logger, shown_warnings

GUIDE = Path(__file__).parents[2] / "plugins" / "README.md"
QUICK = ["--set", "train.epochs=1", "--set", "loader.workers=0"]


def test_a_run_that_prints_nothing_still_logs_what_it_says(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.INFO, "toolkit"):
        assert main(["run", "digits", "--out", str(tmp_path / "run"), "--quiet", *QUICK]) == 0
    assert capfd.readouterr().err == ""
    said = [record for record in caplog.records if record.name == "toolkit"]
    assert any(record.getMessage().startswith("classification · digits · seed 0 · ") for record in said)
    assert {record.levelname for record in said} == {"INFO"}
    assert {record.filename for record in said} >= {"runner.py", "progress.py"}  # whoever said it


def test_what_is_logged_is_printed_once(tmp_path: Path) -> None:
    """In a process of its own, where nobody has asked for logging; for a user without a home, which is only logged."""
    (tmp_path / "file").touch()
    without = {"MPLCONFIGDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "VTK_CACHE"}
    kept = {name: value for name, value in os.environ.items() if name not in without}
    command = [sys.executable, "-m", "toolkit.cli", "run", "digits", "--out", str(tmp_path / "run"), *QUICK]
    environment = kept | {"HOME": str(tmp_path / "file" / "home"), "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stderr.count("classification · digits · ") == 1
    assert done.stderr.splitlines()[0].startswith("warning: there is no home folder to write to, so caches are in")
    assert done.stderr.count("there is no home folder") == 1


def test_the_guides_lines_send_it_to_a_file(tmp_path: Path) -> None:
    section = GUIDE.read_text(encoding="utf-8").split("### What a run says")[1].split("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    code = code.replace('"--quiet"', f'"--quiet", *{QUICK}')
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stderr == ""
    assert "INFO:toolkit:classification · digits · seed 0" in (tmp_path / "vtk.log").read_text(encoding="utf-8")


def test_a_warning_is_one_to_logging_too(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "toolkit"):
        for message in ("warning: cut short", "note: two stages", "epoch 1", "warning: \x1b[2Jgone"):
            log_said(message)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "cut short"),
        ("INFO", "two stages"),
        ("INFO", "epoch 1"),
        ("WARNING", r"\x1b[2Jgone"),
    ]


@contextmanager
def unheard() -> Iterator[None]:
    """As in a process where nobody has asked for logging: pytest itself listens at the root."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging.root, "handlers", [])
        yield


def test_warnings_that_are_only_logged_are_shown_while_a_verb_works(capsys: pytest.CaptureFixture[str]) -> None:
    with unheard(), shown_warnings():
        log_said("warning: printed by whoever said it")
        logging.getLogger("toolkit.data.loading.cache").warning("no more pictures are cached in %s", "x\x1b")
        logging.getLogger("toolkit.data").info("nobody need know")
    logging.getLogger("toolkit.data").warning("after the verb")
    assert capsys.readouterr().err == "warning: no more pictures are cached in x\\x1b\n"


def test_nobody_elses_logging_is_doubled(capsys: pytest.CaptureFixture[str]) -> None:
    own = logging.StreamHandler(sys.stderr)
    logger.addHandler(own)
    try:
        with unheard(), shown_warnings():
            logger.warning("once")
    finally:
        logger.removeHandler(own)
    assert capsys.readouterr().err == "once\n"


def test_the_logger_is_left_as_a_library_should_leave_it() -> None:
    script = (
        "import json, logging, toolkit.system.log\n"
        "found = logging.getLogger('toolkit')\n"
        "print(json.dumps([found.level, [type(h).__name__ for h in found.handlers], len(logging.root.handlers)]))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [logging.NOTSET, ["NullHandler"], 0]
