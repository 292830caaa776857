"""``vtk eval`` gives what the run itself found."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from toolkit.errors import ExitCode

pytestmark = pytest.mark.formats


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


def paint(folder: Path, colours: dict[str, str], count: int) -> None:
    """One sub-folder for each class, with pictures of nearly one colour."""
    for name, colour in colours.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (20 + number, 20), colour).save(folder / name / f"{number}.png")


@pytest.fixture(scope="session")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a run that has learnt three colours."""
    from toolkit.cli import main

    folder = tmp_path_factory.mktemp("classifier")
    paint(folder / "photos", {"blue": "blue", "green": "green", "red": "red"}, 6)
    sets = [
        "model={name: cnn, channels: [4], hidden: [8]}",
        "data.image_size=16",
        "train.epochs=20",
        "loader.workers=0",
    ]
    sets += ["optimizer={name: adam, lr: 0.01}", "schedule={name: constant}", "data.augment=none"]
    arguments = [word for text in sets for word in ("--set", text)]
    run = folder / "run"
    assert main(["run", str(folder / "photos"), "--out", str(run), "--quiet", *arguments]) == 0
    return run


def test_other_data_is_matched_by_class_name_and_evaluated_whole(vtk: Callable, classifier: Path, here: Path) -> None:
    # Blue pictures under the name of green are mistakes. Matched by place, they would be right and the red ones wrong.
    paint(here / "other", {"red": "red"}, 5)
    paint(here / "other", {"green": "blue"}, 3)
    document = json.loads(vtk("eval", classifier, "--images", "other", "--json").out)
    said = json.loads(vtk("predict", classifier, "other", "--json").out)["predictions"]
    assert [record["class"] for record in said] == ["blue"] * 3 + ["red"] * 5
    assert document["split"] == "test"
    assert document["metrics"]["accuracy"] == pytest.approx(5 / 8)


def test_a_class_that_the_model_does_not_know_is_named(vtk: Callable, classifier: Path, here: Path) -> None:
    paint(here / "other", {"red": "red", "yellow": "yellow"}, 2)
    said = vtk("eval", classifier, "--images", "other")
    assert said.code == ExitCode.DATA
    assert "'yellow'" in said.err
    assert "Traceback" not in said.err
