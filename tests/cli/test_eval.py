"""``vtk eval`` gives what the run itself found."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from toolkit.errors import ExitCode


def test_the_same_figures_as_the_run(vtk: Callable, trained: Path) -> None:
    said = vtk("eval", trained, "--json")
    document = json.loads(said.out)
    of_run = json.loads((trained / "report" / "report.json").read_text())
    assert said.code == ExitCode.OK
    assert document["split"] == "val"
    assert document["metrics"] == of_run["metrics"]
    assert document["tables"]["residuals"]["rows"] == [["mae", of_run["metrics"]["mae"]]]


def test_for_people(vtk: Callable, trained: Path) -> None:
    out = vtk("eval", trained).out
    mae = json.loads((trained / "report" / "report.json").read_text())["metrics"]["mae"]
    assert f"{mae:.4g}" in out
    assert "Errors" in out


def test_a_split_that_is_not_there(vtk: Callable, trained: Path) -> None:
    said = vtk("eval", trained, "--split", "test")
    assert said.code == ExitCode.USAGE
    assert "There is: val" in said.err


def test_the_run_is_not_touched_and_a_report_is_written_if_asked(vtk: Callable, trained: Path, here: Path) -> None:
    before = sorted((p, p.stat().st_mtime_ns) for p in trained.rglob("*"))
    assert vtk("eval", trained, "--report", "out").code == ExitCode.OK
    assert sorted((p, p.stat().st_mtime_ns) for p in trained.rglob("*")) == before
    assert "Errors" in (here / "out" / "index.html").read_text()


def test_a_run_without_a_bundle_says_how_to_go_on(vtk: Callable, trained: Path, here: Path) -> None:
    (here / "half").mkdir()
    (here / "half" / "recipe.yaml").write_text((trained / "recipe.yaml").read_text())
    said = vtk("eval", "half")
    assert said.code == ExitCode.NO_INPUT
    assert "--resume" in said.err
