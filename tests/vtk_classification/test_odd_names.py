"""Folders as people keep them: names that are no UTF-8, line breaks, links in circles, formats that are not read."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import pytest

from toolkit.cli import main
from toolkit.cli.predict import find_files
from toolkit.errors import ExitCode
from toolkit.system.files import write_error

SMALL = ["--set", "data.image_size=24", "--set", "model={name: cnn, channels: [4]}", "--set", "train.epochs=1"]
NO_UTF8 = os.fsdecode(b"no\xff.jpg")


@pytest.fixture
def odd(by_class: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Cats and dogs with odd names among them, in the present folder."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(by_class, tmp_path / "odd")
    cats = tmp_path / "odd" / "cat"
    (cats / "cat.0.jpg").rename(cats / "two\nlines.jpg")
    (cats / "cat.1.jpg").rename(cats / NO_UTF8)
    (cats / "loop").symlink_to("loop")
    (cats / "phone.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    (cats / "notes.txt").write_text("Buy milk.")
    return tmp_path / "odd"


def test_they_are_trained_on_and_listed(odd: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (odd / "cat" / NO_UTF8).write_bytes(b"")
    skip = ["--set", "data.on_bad_image=skip", "--set", "data.bad_image_limit=0.5"]
    assert main(["run", "odd", "--out", "run", *SMALL, *skip]) == ExitCode.OK
    said = capfd.readouterr().err
    assert "note: 3 files are left out, in no class folder or no picture by name: 'cat/loop'" in said
    assert "'cat/phone.HEIC'" in said
    skipped = json.loads(Path("run/skipped.json").read_text(encoding="utf-8"))
    assert [one["file"] for files in skipped.values() for one in files] == [f"odd/cat/{NO_UTF8}"]
    assert main(["run", "run", "--resume"]) == ExitCode.OK
    assert "left out, in no" not in capfd.readouterr().err


def test_a_check_shows_each_on_a_line_of_its_own(odd: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (odd / "cat" / "two\nlines.jpg").write_bytes(b"")
    (odd / "cat" / NO_UTF8).write_bytes((odd / "cat" / "cat.2.jpg").read_bytes())
    assert main(["check", "odd", "--html", "page.html", *SMALL]) == ExitCode.DATA
    lines = capfd.readouterr().out.splitlines()
    assert "    cat/two\\nlines.jpg: is empty" in lines
    assert any(line.startswith("warning: 1 picture is in a format that is not read here") for line in lines)
    assert lines[lines.index("  → They are left out. Convert them, e.g. to JPEG or PNG.") - 1] == "    cat/phone.HEIC"
    assert "no\\udcff.jpg" in Path("page.html").read_text(encoding="utf-8")


def test_a_missing_file_among_other_errors_is_bad_data(odd: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (odd / "cat" / "gone.jpg").symlink_to("nowhere.jpg")
    assert main(["check", "odd", *SMALL]) == ExitCode.DATA
    assert "gone.jpg: the file does not exist" in capfd.readouterr().err


def test_a_prediction_of_them_stays_a_table(odd: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "odd", "--out", "run", *SMALL]) == ExitCode.OK
    capfd.readouterr()
    assert main(["predict", "run", "odd/cat"]) == ExitCode.OK
    out = capfd.readouterr().out
    assert len(out.splitlines()) == 21
    assert "odd/cat/two\\nlines.jpg" in out


def test_the_hint_names_the_flag_that_was_given(odd: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "odd", "--out", "run", *SMALL]) == ExitCode.OK
    Path("file").write_text("")
    capfd.readouterr()
    assert main(["eval", "run", "--report", "file"]) in {ExitCode.CANNOT_CREATE, ExitCode.IO}
    assert "that you may write to with --report." in capfd.readouterr().err
    full = write_error(Path("page.html"), OSError(errno.ENOSPC, "full"), flag="--html")
    assert full.hint == "Free some space, or choose another place with --html."


def test_the_pictures_of_reports_are_not_predicted_on(odd: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = odd / "cat" / "run"
    run.mkdir()
    (run / "recipe.yaml").write_text("task: classification\n")
    shutil.copy(odd / "cat" / "cat.2.jpg", run / "curves.png")
    found, missing = find_files(["odd/cat"])
    assert not missing
    assert "odd/cat/cat.2.jpg" in {str(path) for path in found}
    assert not [path for path in found if "run" in path.parts]
    assert "note: odd/cat/run/ is left out: the directory of a run" in capfd.readouterr().err
    found, missing = find_files(["odd/cat/run"])
    assert not found
    assert "this is the directory of a run" in str(missing[0].error)


def test_everything_that_is_named_may_lie_in_a_folder_whose_name_is_no_utf8(odd: Path) -> None:
    place = Path(os.fsdecode(b"caf\xe9"))
    place.mkdir()
    shutil.copy("odd/dog/dog.0.jpg", place)
    assert main(["run", "odd", "--out", str(place / "run"), *SMALL]) == ExitCode.OK
    assert main(["eval", str(place / "run"), "--report", str(place / "page")]) == ExitCode.OK
    assert main(["predict", str(place / "run"), str(place / "dog.0.jpg")]) == ExitCode.OK
    assert main(["run", str(place / "run"), "--resume"]) == ExitCode.OK


def test_a_recipes_text_names_no_such_folder(odd: Path, capfd: pytest.CaptureFixture[str]) -> None:
    place = os.fsdecode(b"caf\xe9")
    odd.rename(place)
    shutil.copytree(Path(place) / "dog", "odd/dog")
    shutil.copytree(Path(place) / "dog", "odd/cat")
    for words in (["run", place], ["run", "odd", "--images", place], ["run", "odd", "--set", f"model.weights={place}"]):
        assert main([*words, *SMALL, "--out", "run"]) == ExitCode.RECIPE
        assert "the byte 0xE9 in this name is no UTF-8" in capfd.readouterr().err
    # Where it lies, the same folder has another name.
    os.chdir(place)
    assert main(["check", ".", *SMALL]) == ExitCode.OK
