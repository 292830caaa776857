"""``vtk check`` tells what a run would do, and does none of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from toolkit.errors import ExitCode


def test_the_plan(vtk: Callable, here: Path) -> None:
    document = json.loads(vtk("check", "toy.yaml", "--set", "optimizer.lr=0.5", "--json").out)
    assert document["values"]["train.epochs"] == {"value": 2, "origin": "toy.yaml:4:17"}
    assert document["values"]["optimizer.lr"] == {"value": 0.5, "origin": "--set optimizer.lr=0.5"}
    assert document["values"]["seed"] == {"value": 0, "origin": "default"}
    assert document["samples"] == {"train": 64, "val": 20}
    weights_and_biases = 4 * 8 + 8 + 8 + 1
    assert document["stages"] == [
        {
            "name": "train",
            "epochs": 2,
            "steps_per_epoch": 8,
            "steps": 16,
            "optimizer": "adam",
            "lr": 0.5,
            "schedule": "constant",
            "trainable": weights_and_biases,
            "frozen": 0,
            "notes": [],
        }
    ]
    assert document["trial"] is None
    assert [path.name for path in here.iterdir()] == ["toy.yaml"]


def test_for_people(vtk: Callable) -> None:
    out = vtk("check", "toy.yaml").out
    assert "train.epochs" in out
    assert "toy.yaml:4:17" in out
    assert "train 64 · val 20" in out
    assert "2 epochs × 8 steps = 16" in out
    assert "49 trainable, 0 frozen" in out
    assert "one step" not in out


def test_what_of_a_schedule_will_not_happen_is_in_the_plan(vtk: Callable) -> None:
    said = vtk("check", "toy.yaml", "--set", "schedule={name: cosine, warmup: 5}")
    note = "note: schedule.warmup is 5 epochs and the stage has 2 epochs: the rate never reaches its peak"
    assert said.code == ExitCode.OK
    assert said.out.count(note) == 1
    staged = "stages=[{epochs: 2, schedule: {name: multistep, milestones: [1, 7]}}, {epochs: 3}]"
    stages = json.loads(vtk("check", "toy.yaml", "--set", "train.epochs=null", "--set", staged, "--json").out)["stages"]
    assert [len(stage["notes"]) for stage in stages] == [1, 0]
    assert "nothing happens at 7" in stages[0]["notes"][0]


def test_one_batch_and_one_step_if_asked(vtk: Callable, here: Path) -> None:
    said = vtk("check", "toy.yaml", "--data", "--json")
    trial = json.loads(said.out)["trial"]
    assert trial["inputs"].startswith("8×4 float32")
    assert trial["targets"].startswith("8×1 float32")
    assert trial["loss"] > 0
    assert trial["step_seconds"] > 0
    assert [path.name for path in here.iterdir()] == ["toy.yaml"]


def test_the_loss_of_the_trial_is_that_of_the_runs_first_step(vtk: Callable, here: Path) -> None:
    trial = json.loads(vtk("check", "toy.yaml", "--data", "--json").out)["trial"]
    assert vtk("run", "toy.yaml", "--out", "a", "--set", "extensions.metrics={steps: true}").code == ExitCode.OK
    first = json.loads((here / "a" / "steps.jsonl").read_text().splitlines()[0])
    assert trial["loss"] == first["loss"]


def test_stages_with_lengths_of_their_own(vtk: Callable, here: Path) -> None:
    (here / "staged.yaml").write_text(
        "task: toy\nstages: [{name: short, epochs: 1, lr: 0.1}, {name: long, steps: 20, steps_per_epoch: 6}]\n"
    )
    stages = json.loads(vtk("check", "staged.yaml", "--json").out)["stages"]
    assert [(s["name"], s["epochs"], s["steps_per_epoch"], s["steps"]) for s in stages] == [
        ("short", 1, 2, 2),
        ("long", 4, 6, 20),
    ]
    assert [s["lr"] for s in stages] == [0.1, 0.001]


def test_what_is_known_is_shown_before_the_error(vtk: Callable) -> None:
    said = vtk("check", "toy.yaml", "--set", "train.best=val/nothing", "--json")
    document = json.loads(said.out)
    assert said.code == ExitCode.RECIPE
    assert document["samples"]["train"] == 64
    assert "val/nothing" in document["problem"]
    assert "val/nothing" in said.err


def test_a_demo_is_called_one(vtk: Callable) -> None:
    said = vtk("check", "toy.yaml", "--demo")
    assert "DEMO" in said.out
    assert "(demo)" in said.out
    assert "train 16" in said.out


def test_a_task_without_a_data_set_says_so(vtk: Callable) -> None:
    said = vtk("check", "toy.yaml", "--report")
    assert said.code == ExitCode.USAGE
    assert "the task 'toy' has no data set to report on" in said.err


def test_a_page_that_could_not_be_written_is_told_before_anything_is_read(vtk: Callable) -> None:
    said = vtk("check", "toy.yaml", "--html", "nowhere/page.html")
    assert said.code == ExitCode.CANNOT_CREATE
    assert said.out == ""
    assert vtk("check", "toy.yaml", "--html", "page.html", "--no-report").code == ExitCode.USAGE
