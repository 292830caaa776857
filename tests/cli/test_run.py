"""``vtk run``: results on stdout, everything else on stderr, resuming."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from toolkit.errors import ExitCode
from toolkit.run.checkpoint.store import CheckpointStore


def test_the_result_is_on_stdout_and_the_rest_on_stderr(vtk: Callable, here: Path) -> None:
    said = vtk("run", "toy.yaml", "--out", "runs/a")
    assert said.code == ExitCode.OK
    history = [json.loads(line) for line in (here / "runs/a/metrics.jsonl").read_text().splitlines()]
    assert f"mae {history[-1]['val/mae']:.4g}" in said.out
    assert "vtk predict runs/a" in said.out
    assert "epoch" not in said.out.replace("2 epochs", "")
    assert "epoch 2/2" in said.err
    for line in said.out.splitlines()[3:]:
        name, _, place = line.partition(" ")
        assert name == "next" or (here / place.strip()).exists()


def test_json_is_one_document(vtk: Callable, here: Path) -> None:
    document = json.loads(vtk("run", "toy.yaml", "--json", "--demo").out)
    directory = here / document["directory"]
    assert document["demo"] is True
    assert document["steps"] == 4
    assert (directory / "bundle" / "bundle.json").is_file()
    assert json.loads((directory / "report" / "report.json").read_text())["metrics"] == document["metrics"]


def test_quiet_prints_the_directory_and_nothing_else(vtk: Callable, here: Path) -> None:
    said = vtk("run", "toy.yaml", "--quiet")
    assert said.err == ""
    assert (here / said.out.strip() / "recipe.yaml").is_file()
    assert len(said.out.splitlines()) == 1


def test_a_run_directory_is_not_overwritten(vtk: Callable, trained: Path) -> None:
    before = sorted((p, p.stat().st_mtime_ns) for p in trained.rglob("*"))
    said = vtk("run", "toy.yaml", "--out", trained)
    assert said.code == ExitCode.CANNOT_CREATE
    assert "--resume" in said.err
    assert sorted((p, p.stat().st_mtime_ns) for p in trained.rglob("*")) == before


def test_a_run_that_failed_before_its_first_checkpoint_is_not_to_be_resumed(vtk: Callable) -> None:
    vtk("run", "toy.yaml", "--out", "a", "--set", "data.poison_at=3")
    said = vtk("run", "toy.yaml", "--out", "a")
    assert said.code == ExitCode.CANNOT_CREATE
    assert "remove it" in said.err
    assert "--resume" not in said.err


ENDLESS = ("run", "toy.yaml", "--out", "a", "--set", "train.epochs=100000", "--set", "train.log_every=4")
PROCESSES = ("--set", "loader={workers: 2, kind: process}")


def training(child: subprocess.Popen[str]) -> subprocess.Popen[str]:
    """Waits until training has begun: a pipe that is read line by line tells."""
    assert child.stderr is not None
    for line in child.stderr:
        if " loss " in line:
            break
    return child


@pytest.mark.parametrize(
    ("number", "code", "loader"),
    [(signal.SIGINT, ExitCode.INTERRUPTED, ()), (signal.SIGTERM, ExitCode.TERMINATED, PROCESSES)],
)
def test_an_interrupted_run_says_how_to_go_on_and_does(
    start: Callable, vtk: Callable, here: Path, number: int, code: ExitCode, loader: tuple[str, ...]
) -> None:
    """The signal reaches the loader's processes, too, as from a terminal, ``timeout`` or a service manager."""
    child = training(start(*ENDLESS, *loader, start_new_session=True))
    os.killpg(child.pid, number)
    _, err = child.communicate(timeout=240)
    assert child.returncode == code
    assert "vtk run a --resume" in err
    assert "Traceback" not in err
    assert json.loads((here / "a" / "status.json").read_text())["status"] == "stopped"
    with pytest.raises(ProcessLookupError):
        os.killpg(child.pid, 0)
    assert vtk("run", "a", "--resume", "--set", "train.epochs=3").code == ExitCode.RECIPE


def test_a_second_signal_leaves_at_once_without_damage(start: Callable, vtk: Callable, here: Path) -> None:
    child = training(start(*ENDLESS, "--set", "extensions.checkpoints={every: 1}"))
    while not any((here / "a" / "checkpoints").glob("step-*")):
        assert child.stderr.readline()
    child.send_signal(signal.SIGSTOP)
    child.send_signal(signal.SIGINT)
    child.send_signal(signal.SIGTERM)
    child.send_signal(signal.SIGCONT)
    child.communicate(timeout=240)
    assert child.returncode in (ExitCode.INTERRUPTED, ExitCode.TERMINATED)
    store = CheckpointStore(here / "a" / "checkpoints")
    _, _, damaged = store.load_latest()
    assert damaged == []


def test_resuming_a_finished_run_changes_nothing(vtk: Callable, here: Path) -> None:
    first = json.loads(vtk("run", "toy.yaml", "--out", "a", "--json").out)
    rows = (here / "a/metrics.jsonl").read_text()
    for args in ("a", "--resume"), ("toy.yaml", "--out", "a", "--resume"), ("a", "--out", "a", "--resume"):
        again = json.loads(vtk("run", *args, "--json").out)
        assert again["metrics"] == first["metrics"]
    assert (here / "a/metrics.jsonl").read_text() == rows


def test_another_recipe_does_not_resume(vtk: Callable, here: Path, trained: Path) -> None:
    said = vtk("run", "toy.yaml", "--out", trained, "--resume", "--set", "optimizer.lr=0.5", "--set", "seed=7")
    assert said.code == ExitCode.RECIPE
    assert re.search(r"^ +optimizer\.lr +0\.001 +0\.5$", said.err, re.MULTILINE)
    assert re.search(r"^ +seed +0 +7$", said.err, re.MULTILINE)


def test_resuming_elsewhere_than_in_the_run_is_refused(vtk: Callable, trained: Path) -> None:
    said = vtk("run", trained, "--out", "b", "--resume")
    assert said.code == ExitCode.USAGE
    assert "leave out --out" in said.err


def test_a_runs_recipe_runs_again_in_a_new_directory(vtk: Callable, trained: Path) -> None:
    again = json.loads(vtk("run", trained, "--json").out)
    report = json.loads((trained / "report" / "report.json").read_text())
    assert again["metrics"] == report["metrics"]
    assert Path(again["directory"]).resolve() != trained


def test_a_loss_that_is_not_finite_has_its_own_exit_code(vtk: Callable, here: Path) -> None:
    said = vtk("run", "toy.yaml", "--out", "a", "--set", "data.poison_at=3")
    assert said.code == ExitCode.NON_FINITE
    assert said.err.splitlines()[-2].startswith("error: the loss is nan")
    assert json.loads((here / "a" / "status.json").read_text())["status"] == "failed"


@pytest.mark.parametrize("column", ["value", "origin"])
def test_the_device_is_a_recipe_key(vtk: Callable, column: str) -> None:
    values = json.loads(vtk("check", "toy.yaml", "--device", "cpu", "--json").out)["values"]["train.device"]
    assert values[column] == {"value": "cpu", "origin": "--set train.device=cpu"}[column]


def test_trace_hooks_says_who_answered_what_and_keeps_it(vtk: Callable, here: Path) -> None:
    said = vtk("run", "toy.yaml", "--out", "run", "--quiet", "--trace-hooks")
    assert said.out == "run\n"
    table = [line.split() for line in said.err.splitlines()]
    assert table[0][:3] == ["hook", "asked", "calls"]
    assert ["vtk_data", "task:vtk-toy:toy", "1", "1"] in [row[:4] for row in table]
    lines = json.loads((here / "run" / "hooks.json").read_text())["hooks"]
    steps = [(line["plugin"], line["calls"], line["answers"]) for line in lines if line["hook"] == "vtk_step"]
    history = [json.loads(line) for line in (here / "run" / "metrics.jsonl").read_text().splitlines()]
    assert steps == [("core", max(line.get("step", 0) for line in history), steps[0][2])]
    assert steps[0][1] == steps[0][2] > 0
    config = [(line["plugin"], line["calls"], line["answers"]) for line in lines if line["hook"] == "vtk_config"]
    assert config[0] == ("task:vtk-toy:toy", 1, 1)
    assert ("extension:vision-toolkit:metrics", 1, 1) in config
    assert all(count for _, *counts in config for count in counts)
    hooks = list(dict.fromkeys(line["hook"] for line in lines))
    assert hooks[0] == "vtk_config"
    assert hooks.index("vtk_data") < hooks.index("vtk_model") < hooks.index("vtk_fit") < hooks.index("vtk_report")


def test_trace_hooks_is_kept_of_a_run_that_fails(vtk: Callable, here: Path) -> None:
    said = vtk("run", "toy.yaml", "--out", "run", "--quiet", "--trace-hooks", "--set", "optimizer={name: sgd, lr: 1e6}")
    assert said.code == ExitCode.NON_FINITE
    assert "vtk_step" in said.err
    assert "vtk_fit" in (here / "run" / "hooks.json").read_text()


def test_without_it_nothing_is_traced(vtk: Callable, here: Path) -> None:
    said = vtk("run", "toy.yaml", "--out", "run", "--quiet")
    assert said.err == ""
    assert not (here / "run" / "hooks.json").exists()


def test_a_length_beside_stages_is_told_with_its_place(vtk: Callable, here: Path) -> None:
    (here / "both.yaml").write_text("task: toy\ntrain:\n  epochs: 2\nstages: [{epochs: 1}]\n")
    said = vtk("run", "both.yaml")
    assert said.code == ExitCode.RECIPE
    assert "both.yaml:3:11: train.epochs says how long a run without stages is" in said.err
