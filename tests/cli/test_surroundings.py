"""Folders that this user may not search or write to: one message with the path, and a code that says which."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.helpers.surroundings import as_user, beside_read_only, open_folder, unavailable
from toolkit.cli import main
from toolkit.errors import ExitCode

RECIPE = """
task: classification
data: {source: {name: folder, root: ph}, split: {val: 0.25}, image_size: 16}
model: {name: cnn, channels: [4], hidden: [8]}
train: {epochs: 1, batch_size: 8, precision: fp32}
loader: {workers: 0}
extensions: {tensorboard: false}
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """Pictures and a recipe that everybody may read, and the same in ``shut``, which only root may search."""
    if reason := unavailable():
        pytest.skip(reason)
    with open_folder() as folder:
        for name in ("ph/ant", "ph/bee", "shut/ph/ant", "shut/ph/bee", "shut/out", "shut/cache", "ro/cache"):
            (folder / name).mkdir(parents=True)
        for number in range(8):
            for name, level in (("ant", 60), ("bee", 190)):
                image = np.full((20, 20, 3), level + number, np.uint8)
                for above in ("ph", "shut/ph"):
                    cv2.imwrite(str(folder / above / name / f"{number}.png"), image)
        for above in ("", "shut"):
            (folder / above / "r.yaml").write_text(RECIPE)
        for name in ("shut/out", "shut/cache"):
            (folder / name).chmod(0o777)
        (folder / "shut").chmod(0o700)
        (folder / "mine").mkdir()
        (folder / "mine").chmod(0o777)
        yield folder


def test_folders_that_may_not_be_searched(place: Path) -> None:
    shut = str(place / "shut")
    run = ["run", "r.yaml", "-q", "--out"]
    expected = {
        (*run, "mine/1", "--set", f"data.source.root={shut}/ph"): ExitCode.NO_INPUT,
        ("run", f"{shut}/r.yaml", "-q", "--out", "mine/2"): ExitCode.NO_INPUT,
        ("predict", f"{shut}/out", "ph/ant/0.png"): ExitCode.NO_INPUT,
        (*run, f"{shut}/out/run"): ExitCode.CANNOT_CREATE,
        (
            *run,
            "mine/3",
            "--set",
            f"data.cache={{keep: disk, folder: {shut}/cache}}",
        ): ExitCode.CANNOT_CREATE,
        ("check", "r.yaml", "--out", f"{shut}/out/run"): ExitCode.CANNOT_CREATE,
        ("check", "r.yaml", "--html", f"{shut}/out/p.html"): ExitCode.CANNOT_CREATE,
        (*run, "mine/4"): ExitCode.OK,
    }
    answers = as_user([list(words) for words in expected], place, VTK_CACHE=str(place / "mine" / "cache"))
    for (words, code), (given, said) in zip(expected.items(), answers, strict=True):
        assert (given, "Traceback" in said) == (code, False), (words, said)
        assert (said == "") == (code == ExitCode.OK), said
        assert code == ExitCode.OK or (said.count("error: "), f"error: {shut}/" in said) == (1, True), said


def test_what_is_mounted_read_only(place: Path) -> None:
    ro = str(place / "ro")
    verbs = [
        ["check", "r.yaml", "--out", f"{ro}/run"],
        ["run", "r.yaml", "-q", "--out", f"{ro}/run"],
        [
            "run",
            "r.yaml",
            "-q",
            "--out",
            "mine/1",
            "--set",
            f"data.cache={{keep: disk, folder: {ro}/cache}}",
        ],
    ]
    for code, said in beside_read_only(place / "ro", verbs, place, VTK_CACHE=str(place / "mine" / "cache")):
        assert (code, said.startswith(f"error: {ro}/"), "Read-only" in said) == (ExitCode.CANNOT_CREATE, True, True), (
            said
        )


def test_no_more_threads_are_told_although_openblas_sends_sigint(place: Path) -> None:
    words = ["run", "r.yaml", "-q", "--out", "mine/1"]
    answers = as_user([words], place, processes=1, OMP_NUM_THREADS="4", OPENBLAS_NUM_THREADS="4")
    assert answers[0][0] == ExitCode.OUT_OF_MEMORY, answers
    assert "ulimit -u" in answers[0][1]


@pytest.mark.parametrize("words", [["check", "/r.yaml"], ["predict", "/run", "/a.png"], ["plugins"]])
def test_a_current_folder_that_was_deleted(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    needs = words != ["plugins"]
    assert main(words) == (ExitCode.NO_INPUT if needs else ExitCode.OK)
    assert ("error: the current folder is gone" in capfd.readouterr().err) == needs
