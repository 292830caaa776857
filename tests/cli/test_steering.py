"""Text from outside on a terminal, in a pipe, in a table and in a document."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import pty
import re
import sys
import threading
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.live import Live
from rich.progress import Progress, TextColumn
from rich.table import Table
from rich.text import Text

from toolkit import cli
from toolkit.cli import main
from toolkit.cli.output import print_json
from toolkit.cli.predict import as_csv_text, flat
from toolkit.errors import ExitCode
from toolkit.system.printable import printable, printable_text
from toolkit.system.terminal import PrintableConsole

HOSTILE = "a\x1b]0;PWN\x07\x9b2J\u202egnp\r\x08b"
SHOWN = r"a\x1b]0;PWN\x07\x9b2J\u202egnp\r\x08b"
LETTERS = "Käfer ſ 猫 かな　한 ไทย हिन्दी می‌خواهم עברית 👩‍🔬"


def on_terminal(monkeypatch: pytest.MonkeyPatch, *args: object) -> tuple[int, str]:
    """Exit code of ``vtk`` and all that reaches a pseudo-terminal, wide enough for every line."""
    master, slave = pty.openpty()
    said: list[bytes] = []

    def listen() -> None:
        try:
            while part := os.read(master, 65536):
                said.append(part)
        except OSError:  # Linux says so that the other end is closed
            pass

    listener = threading.Thread(target=listen)
    listener.start()
    with monkeypatch.context() as patch, os.fdopen(slave, "w", encoding="utf-8") as terminal:
        patch.setenv("COLUMNS", "1000")
        patch.setenv("TERM", "xterm")
        patch.setattr(sys, "stdout", terminal)
        patch.setattr(sys, "stderr", terminal)
        code = main([str(arg) for arg in args])
    listener.join()
    os.close(master)
    return code, b"".join(said).decode()


def steers(text: str) -> list[str]:
    """What is left of the hostile text as it was, and bells; rich's own colours and cursor movements are not."""
    return re.findall("\x1b\\]|\x07|\x08|\x9b|\u202e|gnp\r(?!\n)", text)


CALLS = {
    "predict": ["predict", "{run}", "{file}", "{bad}", f"zz{HOSTILE}"],
    "predict-csv": ["predict", "{run}", "{file}", "--csv"],
    "predict-json": ["predict", "{run}", "{file}", "{bad}", "--json"],
    "predict-bundle": ["predict", "{bundle}", "{file}"],
    "predict-run": ["predict", f"no{HOSTILE}", "{file}"],
    "check": ["check", "{recipe}"],
    "check-json": ["check", "{recipe}", "--json"],
    "check-key": ["check", "toy.yaml", "--set", f"train.{HOSTILE}=1"],
    "check-value": ["check", "toy.yaml", "--set", f"train.epochs={HOSTILE}"],
    "check-folder": ["check", "{pictures}"],
    "run": ["run", "{recipe}", "--out", f"out{HOSTILE}"],
    "run-quiet": ["run", "{recipe}", "--out", f"out{HOSTILE}", "-q"],
    "run-json": ["run", "{recipe}", "--out", f"out{HOSTILE}", "--json"],
    "run-missing": ["run", f"no{HOSTILE}.yaml"],
    "eval": ["eval", f"no{HOSTILE}"],
    "tune": ["tune", f"no{HOSTILE}.yaml"],
    "bench": ["bench", f"no{HOSTILE}.yaml"],
    "recipes": ["recipes", "show", HOSTILE],
    "recipes-cp": ["recipes", "cp", "digits", f"{HOSTILE}.yaml"],
    "plugins": ["plugins", "show", HOSTILE],
    "schema": ["schema", HOSTILE],
    "new-plugin": ["new-plugin", HOSTILE],
    "verb": [HOSTILE],
    "flag": ["run", f"--{HOSTILE}"],
}


pytestmark = pytest.mark.usefixtures("site")


@pytest.mark.parametrize("name", CALLS)
def test_no_text_from_outside_steers_a_terminal(
    name: str, monkeypatch: pytest.MonkeyPatch, trained: Path, here: Path
) -> None:
    file, bad, recipe = f"{HOSTILE}.txt", f"bad{HOSTILE}.txt", f"{HOSTILE}.yaml"
    (here / file).write_text("0 1 2 3")
    (here / bad).write_text(HOSTILE)
    (here / recipe).write_text((here / "toy.yaml").read_text())
    (here / "bundle").mkdir()
    (here / "bundle" / "bundle.json").write_text(json.dumps({"format": 99, "versions": {"vision-toolkit": HOSTILE}}))
    (here / "ph" / f"c{HOSTILE}").mkdir(parents=True)
    (here / "ph" / f"c{HOSTILE}" / "bad.jpg").write_text("x")
    places = {"run": trained, "file": file, "bad": bad, "bundle": "bundle", "recipe": recipe, "pictures": "ph"}
    _, said = on_terminal(monkeypatch, *(word.format(**places) for word in CALLS[name]))
    assert steers(said) == []
    assert "PWN" in said or name in {"recipes", "check-folder"}


@pytest.mark.parametrize("shown", ["bar", "lines", "live", "table"])
def test_displays_escape_what_they_show(shown: str) -> None:
    written = io.StringIO()
    console = PrintableConsole(file=written, force_terminal=True, width=1000)
    if shown == "bar":
        with Progress(TextColumn("{task.description}", markup=False), console=console) as bar:
            bar.add_task(HOSTILE)
    elif shown == "lines":
        console.print(f"{HOSTILE}\n{LETTERS}", markup=False, highlight=False)
    elif shown == "live":
        with Live(Text(HOSTILE), console=console):
            console.print("above")
    else:
        table = Table(HOSTILE)
        table.add_row(HOSTILE)
        console.print(table)
    assert steers(written.getvalue()) == []
    assert r"a\x1b]0;PWN" in written.getvalue()
    assert shown != "lines" or LETTERS in written.getvalue()


def test_everything_leaves_through_one_door() -> None:
    sources = {path.name: path.read_text() for path in Path(cli.__file__).parent.glob("*.py")}
    direct = re.compile(r"click\.s?echo|(?<!\.)\bprint\(|\bConsole\(|print_exception|std(out|err)\.write")
    assert {name for name, text in sources.items() if direct.search(text)} == {"echo.py"}


def test_a_bugs_traceback_does_not_steer_either(monkeypatch: pytest.MonkeyPatch, trained: Path, here: Path) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError(HOSTILE)

    monkeypatch.setattr("toolkit.cli.predict.show", fail)
    (here / "0.txt").write_text("0 1 2 3")
    code, said = on_terminal(monkeypatch, "predict", trained, "0.txt")
    assert (code, steers(said)) == (ExitCode.BUG, [])
    assert SHOWN in said


@given(st.text())
def test_only_controls_are_escaped(text: str) -> None:
    kept = [
        c for c in text if unicodedata.category(c) not in {"Cc", "Cs", "Zl", "Zp"} and c not in "\u202a\u202b\u202c"
    ]
    kept = [c for c in kept if c not in "\u202d\u202e\u2066\u2067\u2068\u2069"]
    assert re.sub(r"\\(x..|u....|[tnr])", "", printable(text.replace("\\", ""))) == "".join(kept).replace("\\", "")
    assert printable(printable(text)) == printable(text)


def test_letters_of_every_script_stay() -> None:
    assert printable(LETTERS) == LETTERS
    assert printable(HOSTILE) == SHOWN
    assert printable("a\n\tb\udce9") == r"a\n\tb\xe9"
    assert printable_text("a\n\tb\x1b") == "a\n\tb\\x1b"


@pytest.mark.parametrize("name", [b"a\x1b[31mb.txt", b"caf\xe9.txt", "猫\u202e.txt".encode(), b"=1+1.txt"])
def test_names_in_csv_are_the_files_own(trained: Path, here: Path, name: bytes, capfdbinary) -> None:
    (here / os.fsdecode(name)).write_text("0 1 2 3")
    assert main(["predict", str(trained), os.fsdecode(name), "--csv"]) == ExitCode.OK
    mark = b"'" if name.startswith(b"=") else b""
    assert capfdbinary.readouterr().out.splitlines()[1].split(b",")[0] == mark + name


def test_names_in_json_are_readable_and_bytes_are_told(trained: Path, here: Path, capfdbinary) -> None:
    names = [b"caf\xe9.txt", b"a\x1b\x7f.txt", "b\u202e猫.txt".encode()]
    for name in names:
        (here / os.fsdecode(name)).write_text("0 1 2 3")
    main(["predict", str(trained), *map(os.fsdecode, names), "no\udcff", "--json"])
    text = capfdbinary.readouterr().out.decode("utf-8")
    document = json.loads(text)
    assert [r["file"] for r in document["predictions"]] == ["caf\\xe9.txt", *(n.decode() for n in names[1:])]
    coded = [r.get("file_base64") for r in document["predictions"] + document["errors"]]
    assert coded == [base64.b64encode(names[0]).decode(), None, None, base64.b64encode(b"no\xff").decode()]
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ud800-\udfff]", text)


@given(st.dictionaries(st.text(), st.text(), max_size=3))
def test_json_is_utf_8_and_means_the_same(tree: dict[str, str]) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        print_json(tree)
    assert json.loads(out.buffer.getvalue().decode("utf-8")) == tree


CELLS = st.text(st.characters(codec="utf-8") | st.sampled_from("'=+-@\t\r\n,\"")) | st.integers() | st.floats()


@given(st.lists(st.tuples(CELLS, CELLS), max_size=4))
def test_a_csv_gives_back_each_cell_and_runs_none(rows: list[tuple[object, object]]) -> None:
    read = list(csv.reader(io.StringIO(as_csv_text(["a", "b"], rows), newline="")))[1:]
    assert len(read) == len(rows)
    for got, given_cell in zip((c for row in read for c in row), (c for row in rows for c in row), strict=True):
        if not isinstance(given_cell, str):
            assert got == repr(given_cell)
            continue
        assert re.sub("^'(?='*[=+\\-@\t\r\n＝＋－＠])", "", got) == given_cell
        assert not re.match("[=+\\-@\t\r\n＝＋－＠]", got) or float(got) is not None


@given(st.lists(st.text(st.sampled_from("ab ,\"'\n"), min_size=1), min_size=1, max_size=4))
def test_several_labels_in_a_cell_can_be_told_apart(labels: list[str]) -> None:
    cell = flat({"labels": labels}, ranked=False)["labels"]
    assert next(csv.reader(io.StringIO(cell, newline=""), skipinitialspace=True)) == labels


def test_numbers_stay_numbers() -> None:
    assert as_csv_text(["x"], [[-1.5], ["-1.5"], ["+3e4"], ["-1+1"], ["cat"]]).splitlines()[1:] == [
        "-1.5",
        "-1.5",
        "+3e4",
        "'-1+1",
        "cat",
    ]
