"""``data.classes``: which of the source's classes take part, and in which order; check, run, eval and predict agree."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from toolkit.cli import main
from toolkit.errors import ExitCode, VtkError
from toolkit.inference.bundle import Bundle
from toolkit.recipe.load import load_text

BASE = """
task: classification
data:
  source: {name: folder, root: photos}
  classes: [dog, cat]
  split: {val: 0.25}
  image_size: 16
  augment: none
  cache: 'off'
model: {name: cnn, channels: [4], hidden: [8]}
train: {epochs: 1, batch_size: 8, precision: fp32}
loader: {workers: 0}
extensions: {tensorboard: false, progress: false}
"""


def pictures(root: Path, classes: Sequence[str], count: int = 6) -> None:
    for place, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for number in range(count):
            pixels = np.random.default_rng([place, number]).integers(0, 256, (20, 20, 3), dtype=np.uint8)
            cv2.imwrite(str(root / name / f"{number}.png"), pixels)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Birds, cats and dogs, six pictures of each, in the present folder, and a recipe for cats and dogs alone."""
    monkeypatch.chdir(tmp_path)
    pictures(tmp_path / "photos", ["bird", "cat", "dog"])
    (tmp_path / "mine.yaml").write_text(BASE)
    return tmp_path


def checked(capfd: pytest.CaptureFixture[str], *args: str) -> dict[str, Any]:
    capfd.readouterr()
    assert main(["check", "mine.yaml", "--json", *args]) == ExitCode.OK
    found: dict[str, Any] = json.loads(capfd.readouterr().out)
    return found


def test_check_run_eval_predict_and_a_resumed_run_see_the_same(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (here / "photos" / "empty").mkdir()
    plan = checked(capfd, "--report")
    assert plan["data"]["classes"] == {"dog": {"train": 4, "val": 2}, "cat": {"train": 4, "val": 2}}
    assert plan["data"]["left aside by data.classes"] == {"bird": 6}
    assert plan["report"]["pictures"] == 12
    assert not [fault for fault in plan["report"]["faults"] if fault["kind"] == "empty-class-folder"]

    assert main(["run", "mine.yaml", "--out", "run"]) == ExitCode.OK
    said = capfd.readouterr().err
    assert "note: 6 images of 1 class that data.classes does not name are left aside: 'bird' (6)" in said
    assert Bundle.load(here / "run").meta["classes"] == ["dog", "cat"]
    cut = json.loads((here / "run" / "split.json").read_text())
    assert {key.split("/")[0] for keys in cut["samples"].values() for key in keys} == {"dog", "cat"}

    assert main(["run", "run", "--resume", "--set", "train.epochs=2"]) == ExitCode.RECIPE
    assert main(["run", "run", "--resume", "--set", "data.classes=[cat, dog]"]) == ExitCode.RECIPE
    capfd.readouterr()

    assert main(["eval", "run", "--json"]) == ExitCode.OK
    rows = json.loads(capfd.readouterr().out)["tables"]["classification-report"]["rows"]
    assert [(row[0], row[4]) for row in rows[:2]] == [("dog", 2), ("cat", 2)]
    assert main(["predict", "run", "photos/bird/0.png", "--json"]) == ExitCode.OK
    assert {one["class"] for one in json.loads(capfd.readouterr().out)["predictions"][0]["top"]} == {"dog", "cat"}


def test_eval_on_other_data_leaves_other_classes_aside_and_says_so(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "mine.yaml", "--out", "run"]) == ExitCode.OK
    pictures(here / "more", ["bird", "cat"], 5)
    capfd.readouterr()
    assert main(["eval", "run", "--images", "more", "--json"]) == ExitCode.OK
    said = capfd.readouterr()
    rows = json.loads(said.out)["tables"]["classification-report"]["rows"]
    assert [(row[0], row[4]) for row in rows[:2]] == [("dog", 0), ("cat", 5)]
    assert "'bird' (5)" in said.err


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        ("[dog, catt]", "mine.yaml:5:18: data.classes.1: the data have no class 'catt'; did you mean 'cat'?"),
        ("[dog, cat, dog]", "mine.yaml:5:12: data.classes: 'dog' stands in it twice"),
        ("[dog]", "mine.yaml:5:12: data.classes: there is only one class, 'dog'; telling classes apart takes two"),
        ("[]", "mine.yaml:5:12: data.classes: needs at least 1 item"),
        ("[dog, '']", "mine.yaml:5:18: data.classes.1: needs at least 1 character"),
        ("dog", "mine.yaml:5:12: data.classes: wants a list"),
    ],
)
def test_a_wrong_choice_is_told_at_its_place(
    here: Path, capfd: pytest.CaptureFixture[str], classes: str, said: str
) -> None:
    (here / "mine.yaml").write_text(BASE.replace("[dog, cat]", classes))
    assert main(["check", "mine.yaml"]) == ExitCode.RECIPE
    assert said in capfd.readouterr().err


def test_an_empty_class_that_is_chosen_is_an_error(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (here / "photos" / "empty").mkdir()
    assert main(["check", "mine.yaml", "--set", "data.classes=[cat, empty]"]) == ExitCode.DATA
    assert "no pictures in the class folder 'empty'" in capfd.readouterr().err


def test_split_folders_may_hold_classes_of_their_own_that_are_not_chosen(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for part, classes in (("train", ["bird", "cat", "dog"]), ("valid", ["cat", "fish", "dog"])):
        pictures(here / "cut" / part, classes, 2)
    plan = checked(capfd, "--set", "data.source.root=cut")
    assert plan["samples"] == {"train": 4, "val": 4}
    assert plan["data"]["left aside by data.classes"] == {"bird": 2, "fish": 2}
    assert main(["check", "mine.yaml", "--set", "data.source.root=cut", "--set", "data.classes=null"]) == ExitCode.DATA
    assert main(["check", "mine.yaml", "--set", "data.source.root=cut", "--set", "data.classes=[cat,fish]"]) != 0


def test_lines_of_a_table_whose_class_is_not_chosen_need_no_file(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rows = [f"photos/{name}/{number}.png,{name}" for name in ("cat", "dog") for number in range(6)]
    (here / "labels.csv").write_text("\n".join(["path,label", *rows, "gone.png,fish"]))
    table = ["--set", "data.source={name: csv, file: labels.csv}"]
    plan = checked(capfd, "--report", *table)
    assert plan["samples"] == {"train": 8, "val": 4}
    assert plan["data"]["left aside by data.classes"] == {"fish": 1}
    assert plan["report"]["pictures"] == 12
    assert main(["check", "mine.yaml", *table, "--set", "data.classes=null"]) == ExitCode.NO_INPUT


def test_sets_in_memory(run_data: Callable[..., Any]) -> None:
    whole = run_data("digits", "data.classes=null")
    some = run_data("digits", "data.classes=['7', '1']")
    labels = np.array([[int(some.train[i][1]) for i in range(len(some.train))]])
    counts = dict(zip(whole.meta["classes"], whole.meta["counts"], strict=True))
    assert some.meta["counts"] == [counts["7"], counts["1"]]
    assert np.bincount(labels[0]).tolist() == some.meta["counts"]


@pytest.fixture
def run_data() -> Callable[..., Any]:
    """The data of a task on scikit-learn's digits."""

    def build(name: str, *sets: str) -> Any:
        from rich.console import Console

        from toolkit.run.setup import prepare

        text = "task: classification\ndata: {source: {name: digits}, split: {val: 0}, image_size: 8, augment: none}\n"
        text += "model: {name: cnn, channels: [4]}\ntrain: {epochs: 1}\nloader: {workers: 0}\n"
        return prepare(load_text(text, name=name, sets=sets), console=Console(quiet=True)).data

    return build


def test_an_earlier_cut_of_more_classes_stands_for_those_chosen(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "mine.yaml", "--out", "all", "--set", "data.classes=null"]) == ExitCode.OK
    assert main(["run", "mine.yaml", "--out", "two", "--set", "data.split={manifest: all}"]) == ExitCode.OK
    before, after = (json.loads((here / name / "split.json").read_text())["samples"] for name in ("all", "two"))
    for part in ("train", "val"):
        assert after[part] == [key for key in before[part] if not key.startswith("bird/")]
    shutil.rmtree(here / "photos" / "bird")
    capfd.readouterr()
    assert main(["check", "mine.yaml", "--set", "data.classes=null", "--set", "data.split={manifest: all}"]) != 0


def test_the_key_is_sealed_and_a_list_is_needed() -> None:
    with pytest.raises(VtkError, match="put it in quotes"):
        load_text(BASE.replace("[dog, cat]", "[1, 2]"), name="numbers")


def test_a_picture_in_two_classes_and_what_was_passed_over_are_told(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copy("photos/cat/0.png", "photos/dog/copy.png")
    (here / "photos" / "cat" / "note.txt").write_text("Buy milk.")
    plan = checked(capfd)
    assert plan["data"]["ignored"] == ["cat/note.txt: not a picture"]
    assert main(["check", "mine.yaml"]) == ExitCode.OK
    said = "warning: 1 image is a copy of one under another class, so both are taught: "
    said += "dog/copy.png (dog) = cat/0.png (cat)"
    assert said in capfd.readouterr().err
