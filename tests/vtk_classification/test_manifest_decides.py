"""A split's manifest decides alone: other keys of the cut are refused beside it, or named where they were inherited."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from toolkit.errors import ExitCode, VtkError
from toolkit.recipe.load import load_recipe
from toolkit.run.dry_run import make_plan
from toolkit.run.runner import execute

BASE = """
task: classification
data: {source: {name: digits}, image_size: 8, grey: true, augment: none, limit: 60, split: {val: 0.4, seed: 3}}
model: {name: cnn, channels: [4]}
train: {epochs: 1}
loader: {workers: 0}
extensions: {checkpoints: false, metrics: false, tensorboard: false, progress: false}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe with a cut of its own, one that extends it by a manifest, and the manifest."""
    monkeypatch.chdir(tmp_path)
    samples = {"train": [f"train/{i}" for i in range(40)], "val": [f"train/{i}" for i in range(40, 60)]}
    manifest = {"version": 1, "classes": list("0123456789"), "samples": samples}
    (tmp_path / "cut.json").write_text(json.dumps(manifest))
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "mine.yaml").write_text("extends: base.yaml\ndata:\n  split:\n    manifest: cut.json\n")
    return tmp_path


def test_what_an_extended_recipe_brings_is_named_by_plan_and_run(here: Path) -> None:
    note = "note: cut.json decides the split; data.split.val, data.split.seed do not count"
    resolved, said = load_recipe("mine.yaml"), io.StringIO()
    plan = make_plan(resolved, console=Console(file=said, width=200))
    assert (plan.samples["train"], plan.samples["val"]) == (40, 20)
    assert said.getvalue().splitlines().count(note) == 1
    assert "data.split.manifest" in plan.values
    assert not {"data.split.val", "data.split.seed", "data.split.duplicates"} & set(plan.values)
    said = io.StringIO()
    execute(resolved, console=Console(file=said, width=200), out=here / "run")
    assert said.getvalue().splitlines().count(note) == 1


def test_a_run_by_a_manifest_can_be_run_again(here: Path) -> None:
    resolved = load_recipe("mine.yaml")
    (here / "saved.yaml").write_text(resolved.to_yaml())
    again, said = load_recipe("saved.yaml"), io.StringIO()
    assert again.to_dict() == resolved.to_dict()
    make_plan(again, console=Console(file=said, width=200))
    assert "do not count" not in said.getvalue()


@pytest.mark.parametrize(
    ("recipe", "sets", "place"),
    [
        ("both.yaml", [], "both.yaml:2:30"),
        ("mine.yaml", ["data.split.test=0.1"], "--set data.split.test=0.1"),
        ("base.yaml", ["data.split={manifest: cut.json, val: 0.2}"], "--set data.split={manifest: cut.json, val: 0.2}"),
    ],
)
def test_both_on_purpose_are_refused_at_their_place(here: Path, recipe: str, sets: list[str], place: str) -> None:
    (here / "both.yaml").write_text("extends: base.yaml\ndata: {split: {duplicates:   near, manifest: cut.json}}\n")
    with pytest.raises(VtkError, match=r"data\.split\..*: has no effect beside manifest") as caught:
        load_recipe(recipe, sets=sets)
    assert caught.value.code == ExitCode.RECIPE
    assert caught.value.place == place


def test_a_manifest_on_the_command_line_overrules_a_file(here: Path) -> None:
    said = io.StringIO()
    plan = make_plan(load_recipe("base.yaml", sets=["data.split.manifest=cut.json"]), console=Console(file=said))
    assert plan.samples["val"] == 20
    assert "do not count" in said.getvalue()
