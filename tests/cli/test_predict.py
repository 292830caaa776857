"""``vtk predict``: many files, of which some are bad."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from plugin_site import Site

from toolkit.cli.predict import limited
from toolkit.errors import ExitCode

HELPERS = Path(__file__).parents[1] / "helpers"


@pytest.fixture
def numbers(here: Path) -> list[str]:
    """Three good files."""
    for i in range(3):
        (here / f"{i}.txt").write_text(f"{i} 1 2 3")
    return ["0.txt", "1.txt", "2.txt"]


def test_a_table_of_all_files(vtk: Callable, trained: Path, numbers: list[str]) -> None:
    said = vtk("predict", trained, *numbers)
    lines = said.out.splitlines()
    assert (said.code, said.err) == (ExitCode.OK, "")
    assert lines[0].split() == ["file", "value"]
    assert [line.split()[0] for line in lines[1:]] == numbers


def test_a_bad_file_costs_its_own_result_alone(vtk: Callable, trained: Path, numbers: list[str], here: Path) -> None:
    alone = json.loads(vtk("predict", trained, *numbers, "--json").out)["predictions"]
    (here / "bad.txt").write_text("hello")
    for place in range(4):
        said = vtk("predict", trained, *numbers[:place], "bad.txt", *numbers[place:], "--json")
        document = json.loads(said.out)
        assert said.code == ExitCode.DATA
        assert document["predictions"] == alone
        assert document["errors"] == [{"file": "bad.txt", "error": "holds no numbers"}]
        assert said.err == "error: bad.txt: holds no numbers\n"


def test_missing_files_have_their_own_code(vtk: Callable, trained: Path, numbers: list[str], here: Path) -> None:
    said = vtk("predict", trained, "nope.txt", *numbers)
    assert said.code == ExitCode.NO_INPUT
    assert said.err == "error: nope.txt: does not exist\n"
    assert len(said.out.splitlines()) == 4
    (here / "bad.txt").write_text("hello")
    assert vtk("predict", trained, "nope.txt", "bad.txt").code == ExitCode.DATA


def test_csv(vtk: Callable, trained: Path, numbers: list[str]) -> None:
    records = json.loads(vtk("predict", trained, *numbers, "--json").out)["predictions"]
    rows = list(csv.DictReader(io.StringIO(vtk("predict", trained, *numbers, "--csv").out)))
    assert [(row["file"], float(row["value"])) for row in rows] == [(r["file"], r["value"]) for r in records]


def test_ranked_answers_are_cut_where_fewer_are_asked_for() -> None:
    record = {"file": "a", "top": list(range(20))}
    assert limited(record, None) == record
    assert limited(record, 10)["top"] == list(range(10))
    assert limited({"file": "a"}, None) == {"file": "a"}


def test_top(vtk: Callable, trained: Path, numbers: list[str]) -> None:
    document = json.loads(vtk("predict", trained, "0.txt", "--top", "2", "--json").out)
    assert [answer["answer"] for answer in document["predictions"][0]["top"]] == ["a", "b"]
    head = vtk("predict", trained, "0.txt", "--top", "2", "--csv").out.splitlines()[0]
    assert head == "file,value,answer_2,share_2"


def test_patterns_and_folders(vtk: Callable, trained: Path, here: Path) -> None:
    folder = here / "in" / "deep"
    folder.mkdir(parents=True)
    for name in ("b.png", "a.png", "notes.txt", ".hidden.png"):
        (folder / name).write_text("1 2 3 4")
    expected = ["in/deep/a.png", "in/deep/b.png"]
    for given in "in", "in/**/*.png", "in/deep/*":
        document = json.loads(vtk("predict", trained, given, "--json").out)
        assert [record["file"] for record in document["predictions"]] == expected, given


@pytest.mark.parametrize("name", ["empty", "*.png"])
def test_nothing_to_predict(name: str, vtk: Callable, trained: Path, here: Path) -> None:
    (here / "empty").mkdir()
    said = vtk("predict", trained, name)
    assert said.code == ExitCode.NO_INPUT
    assert name in said.err


def test_csv_and_json_exclude_each_other(vtk: Callable, trained: Path, numbers: list[str]) -> None:
    assert vtk("predict", trained, *numbers, "--csv", "--json").code == ExitCode.USAGE


def test_a_damaged_bundle_is_told_once(vtk: Callable, trained: Path, numbers: list[str], here: Path) -> None:
    import shutil

    shutil.copytree(trained, here / "copy")
    weights = here / "copy" / "bundle" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    said = vtk("predict", "copy", *numbers)
    assert said.code == ExitCode.DATA
    assert said.err.count("error:") == 1
    assert "model.safetensors" in said.err


DRAWS = """
from pathlib import Path

from cli_toy import ToyTask
from toolkit import VtkError, hookimpl


class DrawingToy(ToyTask):
    @hookimpl
    def vtk_predict(self, bundle, inputs, drawings):
        for path in inputs:
            if path.read_text() == "hello":
                raise VtkError("holds no numbers", place=str(path))
        for path, drawing in zip(inputs, drawings or []):
            drawing.write_text(path.read_text())
        return [{"file": str(path)} for path in inputs]


plugin = DrawingToy()
"""


def test_answers_are_drawn_where_the_task_can(
    trained: Path,
    numbers: list[str],
    here: Path,
    tmp_path_factory: pytest.TempPathFactory,
    capfd: pytest.CaptureFixture,
) -> None:
    from toolkit.cli import main

    (here / "bad.txt").write_text("hello")
    site = Site(tmp_path_factory.mktemp("drawing"))
    toy = (HELPERS / "toy_task.py").read_text()
    site.install("vtk-toy", tasks={"toy": "cli_draws:plugin"}, modules={"cli_toy": toy, "cli_draws": DRAWS})
    with site.active():
        code = main(["predict", str(trained), *numbers, "bad.txt", "0.txt", "--draw", "out/deep", "--json"])
    records = json.loads(capfd.readouterr().out)["predictions"]
    assert code == ExitCode.DATA
    assert [Path(r["drawing"]).read_text() for r in records] == [Path(r["file"]).read_text() for r in records]
    drawn = sorted(path.name for path in (here / "out" / "deep").iterdir())
    assert drawn == ["0-2.png", "0.png", "1.png", "2.png"]


def test_a_task_that_draws_nothing_says_so(vtk: Callable, trained: Path, numbers: list[str], here: Path) -> None:
    said = vtk("predict", trained, *numbers, "--draw", "out")
    assert said.code == ExitCode.UNAVAILABLE
    assert said.err.startswith("error: the task 'toy' does not draw its answers")
    assert not (here / "out").exists()
