"""``vtk bench``: what it prints, and that it leaves nothing."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from toolkit.errors import ExitCode

Vtk = Callable[..., Any]


def test_one_document_with_every_figure(
    vtk: Vtk, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Importing a part of torch makes this folder, if nothing has imported it before.
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path_factory.mktemp("inductor")))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    before = sorted(Path.cwd().rglob("*"))
    said = vtk("bench", "toy.yaml", "--seconds", "0.6", "--json")
    assert said.code == 0
    found = json.loads(said.out)
    for side in ("data", "model", "whole"):
        assert found[side]["per_second"] > 0
        assert found[side]["batches"] >= 2
    ceiling = found[found["limit"]]["per_second"]
    assert found["of_ceiling"] == pytest.approx(found["whole"]["per_second"] / ceiling)
    assert found["samples"] == 8
    assert {"forward", "backward", "optimizer"} <= set(found["step_parts"])
    assert found["advice"]
    assert found["advice"][0]["why"]
    assert "measuring: the model alone" in said.err
    assert not list(scratch.iterdir())
    assert sorted(Path.cwd().rglob("*")) == before


def test_people_read_rates_shares_and_advice(vtk: Vtk) -> None:
    said = vtk("bench", "toy.yaml", "--demo", "--seconds", "0.3")
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[0] == "toy: toy · DEMO: small stand-in data"
    for start in ("the data path alone", "the model alone", "the whole", "forward", "what to change first", "  1. "):
        assert any(line.startswith(start) for line in lines), start
    assert "of the ceiling, which is the" in said.out
    assert "decode and augment, apart: the training set has no `transform`" in said.out


def test_misuse_and_a_broken_recipe(vtk: Vtk) -> None:
    assert vtk("bench", "toy.yaml", "--seconds", "0").code == ExitCode.USAGE
    said = vtk("bench", "toy.yaml", "--set", "train.epoch=3")
    assert (said.code, "did you mean 'epochs'" in said.err) == (ExitCode.RECIPE, True)
