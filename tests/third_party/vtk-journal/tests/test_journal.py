"""The extension as its users have it: installed, beside a task of vision-toolkit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from toolkit.cli import main
from toolkit.testing import check_extension
from vtk_journal import events
from vtk_journal.page import make_page, story_of

SMALL = ["train.epochs=2", "loader.workers=0", "extensions.tensorboard=false", "train.device=cpu"]


def run(recipe: str, out: Path, *values: str) -> int:
    return main(["run", recipe, "--out", str(out), "--quiet", *(w for v in [*SMALL, *values] for w in ("--set", v))])


def test_it_keeps_its_promises():
    check_extension("journal", {"project": "checked"})


def test_it_notes_recipe_machine_steps_epochs_and_result(tmp_path: Path):
    assert run("journal-digits", tmp_path / "one") == 0
    project = tmp_path / "journal" / "digits"
    told = list(events.read(project / "one.jsonl"))
    assert [e["event"] for e in told if e["event"] != "step"] == ["start", "epoch", "epoch", "end", "result"]
    start, *steps = told[0], *(e for e in told if e["event"] == "step")
    assert start["recipe"]["train"]["epochs"] == 2
    assert (start["tags"], start["system"]["device"]) == (["example"], "cpu")
    assert [e["step"] for e in steps] == list(range(1, len(steps) + 1))
    logged = [json.loads(line) for line in (tmp_path / "one" / "metrics.jsonl").read_text().splitlines()]
    epochs = [e["metrics"] for e in told if e["event"] == "epoch"]
    assert [m["val/accuracy"] for m in epochs] == [row["val/accuracy"] for row in logged if "val/accuracy" in row]
    page = (project / "index.html").read_text()
    assert "one" in page
    assert f"{told[-1]['metrics']['accuracy']:.4g}" in page


def test_one_page_shows_what_differs_between_runs(tmp_path: Path):
    for name, rate in ("first", 0.1), ("second", 0.2):
        start = {"event": "start", "time": name, "name": f"<{name}>", "tags": [], "recipe": {"lr": rate, "seed": 0}}
        events.append(tmp_path / f"{name}.jsonl", start)
        events.append(tmp_path / f"{name}.jsonl", {"event": "result", "metrics": {"iou": rate}})
    page = make_page("p", sorted(tmp_path.glob("*.jsonl")))
    assert page.index("&lt;second&gt;") < page.index("&lt;first&gt;")
    assert "lr 0.1" in page
    assert "seed" not in page


def test_what_is_done_again_after_an_interruption_is_noted_once(tmp_path: Path):
    file = tmp_path / "a.jsonl"
    for step in range(1, 6):
        events.append(file, {"event": "step", "step": step, "loss": float("nan")})
    with file.open("a") as stream:
        stream.write('{"event": "st')
    events.cut_back(file, 3)
    assert [e["step"] for e in events.read(file)] == [1, 2, 3]
    assert next(events.read(file))["loss"] == "nan"


def test_a_run_that_is_killed_is_not_said_to_have_ended():
    story = story_of([{"event": "start"}, {"event": "epoch", "metrics": {}}])
    assert story.status == "running"


def test_a_place_that_cannot_be_written_is_said_before_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "file").write_text("")
    assert run("journal-digits", tmp_path / "run", f"extensions.journal.folder={tmp_path}/file") == 73
    assert "the journal cannot be written" in capsys.readouterr().err


def test_a_disk_that_fails_later_costs_the_journal_and_not_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    written = events.append

    def full(file: Path, event: Any) -> None:
        if event["event"] == "epoch":
            raise OSError(28, "No space left on device")
        written(file, event)

    monkeypatch.setattr(events, "append", full)
    values = [*SMALL, "extensions.journal.steps=false"]
    words = [word for value in values for word in ("--set", value)]
    assert main(["run", "journal-digits", "--out", str(tmp_path / "run"), *words]) == 0
    said = capsys.readouterr().err
    assert said.count("No space left on device") == 1
    assert json.loads((tmp_path / "run" / "status.json").read_text())["status"] == "finished"


def test_names_that_are_no_folder_are_refused(tmp_path: Path):
    assert run("journal-digits", tmp_path / "run", "extensions.journal.project=../up") == 78
