"""What lasts says what it does, how far it is and how long it will take; what does not last says nothing."""

from __future__ import annotations

import io
import re
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from toolkit.data.sources import Folder
from toolkit.system import step_display
from toolkit.system.progress import Step, step
from toolkit.system.step_display import StepDisplay, step_line


class Written(io.StringIO):
    """Text that others wait for."""

    def wait_for(self, wanted: str) -> None:
        until = time.monotonic() + 30
        while not re.search(wanted, self.getvalue()):
            assert time.monotonic() < until, f"{wanted!r} is not in {self.getvalue()!r}"
            time.sleep(0.01)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_display, "PATIENCE", 0.0)
    monkeypatch.setattr(step_display, "LINE_SECONDS", 0.0)


@pytest.mark.parametrize(
    ("done", "total", "line"),
    [
        (0, 100, "reading · 0:10"),
        (50, 150, "reading · 50 of 150 files · 5/s · 0:20 left"),
        (1200, None, "reading · 1,200 files · 120/s"),
        (200_000, 1_000_000, "reading · 200,000 of 1,000,000 files · 20,000/s · 0:40 left"),
        (120, 100, "reading · 120 of 100 files · 12/s · 0:00 left"),
    ],
)
def test_a_line_says_what_how_far_and_how_long(done: int, total: int | None, line: str) -> None:
    assert step_line(Step("reading", total, done=done, began=5.0), 15.0) == line


def test_lines_where_there_is_no_terminal(impatient: None) -> None:
    out = Written()
    with StepDisplay(Console(file=out, width=200)), step("reading", 100) as reading:
        reading.more(40)
        out.wait_for(r"reading · 40 of 100 files · .* left\n")
        reading.more(60)
    assert out.getvalue().splitlines()[-1].startswith("reading: 100 files in 0:")


def test_the_innermost_of_what_lasts_is_shown(impatient: None) -> None:
    out = Written()
    with StepDisplay(Console(file=out, width=200)), step("outer", 2, "folders") as outer:
        out.wait_for("outer · 0:0")
        with step("inner") as inner:
            inner.more(7)
            out.wait_for("inner · 7 files")
        outer.more(2)
    assert out.getvalue().splitlines()[-1].startswith("outer: 2 folders in")
    assert "inner:" not in out.getvalue()


def test_a_bar_on_a_terminal_goes_when_the_step_is_over(impatient: None) -> None:
    out = Written()
    with StepDisplay(Console(file=out, width=100, force_terminal=True)), step("reading [/x]", 100) as reading:
        reading.more(40)
        out.wait_for(r"reading \[/x\] · 40 of 100 files")
    assert not out.getvalue().endswith("left")
    assert "reading [/x]: " not in out.getvalue()


def test_what_does_not_last_says_nothing() -> None:
    out = Written()
    with StepDisplay(Console(file=out)):
        for _ in range(1000):
            with step("listing") as listing:
                listing.more()
    assert not out.getvalue()
    assert not [thread for thread in threading.enumerate() if thread.name == "vtk-steps"]


def test_a_quiet_console_and_a_reader_who_left_disturb_nothing(impatient: None) -> None:
    class Gone(io.StringIO):
        def write(self, _text: str) -> int:
            tried.set()
            raise BrokenPipeError

    tried = threading.Event()
    with StepDisplay(Console(file=Gone(), quiet=True)), step("reading", 5) as reading:
        assert not tried.wait(0.5)
    with StepDisplay(Console(file=Gone())), step("reading", 5) as reading:
        assert tried.wait(30)
        reading.more(5)


def test_work_ends_when_it_is_asked_to() -> None:
    def check() -> None:
        if reading.done >= 3:
            raise KeyboardInterrupt

    with StepDisplay(Console(quiet=True), check), step("reading", 5) as reading:
        reading.more(2)
        with pytest.raises(KeyboardInterrupt):
            reading.more(1)
    assert reading.done == 3


@pytest.fixture
def class_folders(tmp_path: Path) -> Path:
    for place in range(40):
        (tmp_path / f"class{place % 2}").mkdir(exist_ok=True)
        (tmp_path / f"class{place % 2}" / f"{place}.png").write_bytes(bytes([place]) * 50)
    return tmp_path


def test_each_part_of_a_start_says_what_it_does(class_folders: Path) -> None:
    from toolkit.data.splits.fingerprints import equal_files
    from toolkit.data.splits.manifest import write_cut
    from toolkit.system.progress import listening

    told: list[tuple[str, int | None, int]] = []

    class Notes:
        def begin(self, step: Step) -> None: ...

        def end(self, step: Step) -> None:
            told.append((step.what, step.total, step.done))

    with listening(Notes()):
        found = Folder(name="folder", root=str(class_folders)).load()
        index: Any = found.train
        assert equal_files(index.locations, index.states).tolist() == list(range(40))
        write_cut(class_folders / "split.json", found, 0)
    assert told == [
        ("listing files", None, 0),
        ("listing files", None, 20),
        ("listing files", None, 20),
        ("listing class folders", 2, 2),
        ("looking at sizes", 40, 40),
        ("comparing files of one size by their ends", 40, 40),
        ("writing down the splits", 40, 40),
    ]
