"""``vtk check`` reads the whole data set where it is asked to, and its exit code says what it found."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from toolkit import Run, SampleIndex
from toolkit.cli import main
from toolkit.data.sources.index import Found
from toolkit.errors import ExitCode

Check = Callable[..., tuple[int, str, str]]


@pytest.fixture
def check(capfd: pytest.CaptureFixture[str]) -> Check:
    """``vtk check``: exit code, stdout, stderr."""

    def call(*args: object) -> tuple[int, str, str]:
        code = main(["check", *map(str, args)])
        return code, *capfd.readouterr()

    return call


@pytest.fixture
def photos(by_class: Path, tmp_path: Path) -> Path:
    """A folder of one's own, to spoil."""
    return Path(shutil.copytree(by_class, tmp_path / "photos"))


WHOLE = ("--set", "data.split.val=0", "--set", "train.best=last")
SMALL = ("--set", "data.image_size=32", "--set", "model.pretrained=false")


def test_a_folder_is_read_whole(photos: Path, check: Check) -> None:
    code, out, _ = check(photos, *SMALL)
    assert code == ExitCode.OK
    assert f"{photos}: 40 pictures · train 32 · val 8 (as the recipe cuts them)" in out
    assert "nothing wrong was found" in out
    assert "epochs" in out
    assert "optimizer.lr" not in out


def test_errors_are_told_by_the_exit_code_warnings_are_not(photos: Path, check: Check) -> None:
    shutil.copy(photos / "cat/cat.0.jpg", photos / "cat/again.jpg")
    code, out, _ = check(photos, *SMALL, *WHOLE)
    assert code == ExitCode.OK
    assert "[copy-in-split]" in out
    shutil.copy(photos / "cat/cat.1.jpg", photos / "dog/not_a_dog.jpg")
    code, out, err = check(photos, *SMALL, *WHOLE)
    assert (code, err) == (ExitCode.DATA, "")
    assert "[copy-with-two-labels]" in out
    assert check(photos, *SMALL, "--no-report")[0] == ExitCode.OK


def test_data_that_no_run_would_take_are_reported_all_the_same(photos: Path, check: Check) -> None:
    (photos / "empty class").mkdir()
    (photos / "cat/empty.jpg").write_bytes(b"")
    code, out, err = check(photos, *SMALL, "--json")
    document = json.loads(out)
    kinds = {fault["kind"]: fault for fault in document["report"]["faults"]}
    assert code == ExitCode.DATA
    assert "empty class" in document["problem"]
    assert "empty class" in err
    assert set(kinds) == {"empty-class-folder", "empty-file"}
    assert kinds["empty-file"]["cases"] == [{"files": ["cat/empty.jpg"], "detail": "is empty"}]
    assert document["report"]["levels"] == {"error": 2, "warning": 0, "note": 0}


def test_a_folder_that_is_not_there(check: Check, tmp_path: Path) -> None:
    code, out, err = check("folder", "--images", tmp_path / "nowhere", "--report", "--json")
    assert code == ExitCode.NO_INPUT
    assert json.loads(out)["report"] is None
    assert "nowhere" in err


def test_a_recipe_is_read_only_if_asked(photos: Path, check: Check) -> None:
    args = ("folder", "--images", photos, *SMALL)
    assert "report" not in json.loads(check(*args, "--json")[1])
    assert json.loads(check(*args, "--report", "--json")[1])["report"]["pictures"] == 40


def test_the_splits_are_those_of_a_run_without_its_limit(photos: Path, check: Check) -> None:
    sets = ("--set", "data.split={val: 0.25, test: 0.1}")
    document = json.loads(check("folder", "--images", photos, *SMALL, *sets, "--report", "--json")[1])
    assert document["report"]["cut_by_recipe"]
    assert document["report"]["splits"] == document["samples"]
    document = json.loads(check(photos, *SMALL, *sets, "--set", "data.limit=4", "--json")[1])
    assert document["samples"] == {"train": 4, "val": 4, "test": 4}
    assert sum(document["report"]["splits"].values()) == 40


def test_the_cut_beside_a_test_split_of_the_sources_own_is_seen(photos: Path, check: Check) -> None:
    """Near copies across training and the validation that the recipe cuts; its key keeps none out of the test split."""
    parted = photos / "parted"
    for kind in ("cat", "dog"):
        for number, file in enumerate(sorted((photos / kind).iterdir())):
            target = parted / ("test" if number < 4 else "train") / kind
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
    for file in sorted((parted / "train/cat").iterdir()):
        cv2.imwrite(str(file.with_suffix(".png")), cv2.resize(cv2.imread(str(file)), None, fx=2, fy=2))
    sets = ("--set", "data.split.val=0.3")
    report = json.loads(check(parted, *SMALL, *sets, "--json")[1])["report"]
    assert report["cut_by_recipe"]
    assert set(report["splits"]) == {"train", "val", "test"}
    fault = next(fault for fault in report["faults"] if fault["kind"] == "near-copy-across-splits")
    assert {case["detail"] for case in fault["cases"]} <= {"train / val", "val / train"}
    assert "or set data.split.duplicates to near; that moves none out of test." in fault["remedy"]
    near = json.loads(check(parted, *SMALL, *sets, "--set", "data.split.duplicates=near", "--json")[1])["report"]
    assert "near-copy-across-splits" not in {fault["kind"] for fault in near["faults"]}
    (file,) = list((parted / "test/dog").iterdir())[:1]
    shutil.copy(file, parted / "train/dog" / "leaked.jpg")
    report = json.loads(check(parted, *SMALL, *sets, "--set", "data.split.duplicates=near", "--json")[1])["report"]
    (fault,) = [fault for fault in report["faults"] if fault["kind"] == "copy-across-splits"]
    assert fault["remedy"].endswith("Keep one of them.")


def test_the_page_shows_what_enters_the_model(photos: Path, check: Check, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    code, _, err = check("folder", "--images", photos, *SMALL, "--set", "data.augment=none", "--html", page)
    assert (code, err) == (ExitCode.OK, f"the page is {page}\n")
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)" alt="(\w+/[\w.]+)"', page.read_text())
    assert len(pictures) == 16
    assert {name[:3] for _, name in pictures} == {"cat", "dog"}
    from toolkit.data.io.decode import decode
    from toolkit.data.preprocess import Preprocess

    data, name = pictures[0]
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))
    as_evaluated = Preprocess(height=32, width=32, resize=37, interpolation="bilinear")
    assert np.array_equal(shown, as_evaluated(decode(photos / name)))


def test_the_page_shows_augmented_pictures(photos: Path, check: Check, tmp_path: Path) -> None:
    shown = []
    for augment in ("none", "standard", "standard"):
        check("folder", "--images", photos, *SMALL, "--set", f"data.augment={augment}", "--html", tmp_path / "p.html")
        shown.append(re.findall(r'src="([^"]+)"', (tmp_path / "p.html").read_text()))
    assert shown[1] == shown[2]
    assert set(shown[0]).isdisjoint(shown[1])


def test_drawings_in_memory(check: Check) -> None:
    code, out, _ = check("digits", "--report", "--json")
    report = json.loads(out)["report"]
    assert report["in_memory"]
    assert report["sizes"] is None
    assert report["levels"]["error"] == 0, report["faults"]
    assert code == ExitCode.OK


def test_a_copy_in_memory_is_found(check: Check, photos: Path) -> None:
    from toolkit.data.sources import ImageArrays
    from toolkit.data.sources.survey import survey_of
    from toolkit.data_audit.data_report import check_data

    images = np.random.default_rng(0).integers(0, 256, (24, 8, 8), dtype=np.uint8)
    test = images[:2].copy()
    targets = np.arange(24) % 2
    found = Found(ImageArrays(images, targets, ("a", "b")), test=ImageArrays(test, targets[:2], ("a", "b"), "test"))
    faults = check_data(survey_of(found, "here")).faults
    assert [(fault.kind, len(fault.cases)) for fault in faults] == [("copy-across-splits", 2)]
    assert faults[0].cases[0].files == ("train/0", "test/0")


def test_near_copies_are_found_through_the_command(photos: Path, check: Check) -> None:
    pixels = cv2.imread(str(photos / "cat/cat.3.jpg"))
    cv2.imwrite(str(photos / "dog/recoded.png"), cv2.resize(pixels, None, fx=2, fy=2))
    report = json.loads(check(photos, *SMALL, "--json")[1])["report"]
    assert [(fault["kind"], fault["level"]) for fault in report["faults"]] == [("near-copy-with-two-labels", "warning")]
    assert report["faults"][0]["cases"][0]["files"] == ["cat/cat.3.jpg", "dog/recoded.png"]


@pytest.mark.parametrize("sets", [(), ("data.augment=standard",), ("data.augment=standard", "data.shrink=30")])
def test_the_samples_are_those_of_the_first_epoch(make_run: Callable[..., Run], sets: tuple[str, ...]) -> None:
    run = make_run(*sets)
    survey = run.hook.vtk_survey(recipe=run.recipe)
    assert [Path(path).name for path in run.data.train.paths] == list(survey.parts["train"].names)
    for place in range(6):
        trained_on, _ = run.data.train[SampleIndex(place, seed=run.seed)]
        assert np.array_equal(survey.seen(place), trained_on)


def test_near_copies_are_looked_for_once_for_plan_and_report(
    by_class: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from toolkit.data.splits import fingerprints

    calls: list[int] = []
    find = fingerprints.duplicate_groups

    def counted(files: Any, **options: Any) -> Any:
        calls.append(len(files))
        return find(files, **options)

    monkeypatch.setattr(fingerprints, "duplicate_groups", counted)
    words = ["check", str(by_class), "--set", "data.split.duplicates=near", "--set", "model={name: cnn, channels: [4]}"]
    assert main(words) == 0
    assert calls == [40]
    picture = next(by_class.glob("cat/*.jpg"))
    os.utime(picture, ns=(1, picture.stat().st_mtime_ns + 1))
    assert main(words) == 0
    assert calls == [40, 40]
    capfd.readouterr()
