"""``vtk tune --lr``: suggestions, plot, and what it leaves behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from toolkit.errors import ExitCode

Vtk = Callable[..., Any]


def test_suggestions_and_a_plot(vtk: Vtk, tmp_path: Path) -> None:
    plot = tmp_path / "plots" / "rates.png"
    said = vtk("tune", "toy.yaml", "--lr", "--rates", "40", "--out", str(plot), "--json")
    assert said.code == 0
    found = json.loads(said.out)
    assert found["careful"] == found["lowest"] / 10
    assert found["rates"][0] == 1e-7
    assert len(found["rates"]) == len(found["losses"]) == len(found["smoothed"])
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert not list(Path.cwd().glob("runs/*"))


def test_people_read_what_to_do_next(vtk: Vtk, tmp_path: Path) -> None:
    said = vtk("tune", "toy.yaml", "--lr", "--rates", "30", "--out", str(tmp_path / "rates.png"))
    assert "a rate to train with" in said.out
    assert "--set optimizer.lr=" in said.out


def test_misuse(vtk: Vtk) -> None:
    said = vtk("tune", "toy.yaml")
    assert (said.code, "--lr" in said.err) == (ExitCode.USAGE, True)
    said = vtk("tune", "toy.yaml", "--lr", "--from", "1", "--to", "0.1")
    assert said.code == ExitCode.USAGE
    assert "--from 1 must be below --to 0.1" in said.err
