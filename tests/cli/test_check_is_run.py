"""``vtk check`` says yes exactly where ``vtk run`` works: both, side by side, over surroundings of all kinds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hub_folders import hub, no_network

from toolkit.cli import main
from toolkit.errors import ExitCode

__all__ = ["hub", "no_network"]

TINY = ["--set", "train.epochs=1", "--set", "data.limit=40", "--set", "loader.workers=0"]


def _file_as_runs() -> list[str]:
    Path("runs").write_text("")
    return []


def _file_as_out() -> list[str]:
    Path("out").write_text("")
    return ["--out", "out"]


def _file_above_out() -> list[str]:
    Path("out").write_text("")
    return ["--out", "out/run"]


def _full_out() -> list[str]:
    Path("out").mkdir()
    Path("out/letter.txt").write_text("")
    return ["--out", "out"]


def _empty_out() -> list[str]:
    Path("out").mkdir()
    return ["--out", "out"]


def _dangling_out() -> list[str]:
    Path("out").symlink_to("nowhere")
    return ["--out", "out"]


SURROUNDINGS: dict[str, tuple[Callable[[], list[str]], int]] = {
    "nothing there": (list, ExitCode.OK),
    "runs is a file": (_file_as_runs, ExitCode.CANNOT_CREATE),
    "out is a file": (_file_as_out, ExitCode.CANNOT_CREATE),
    "a file above out": (_file_above_out, ExitCode.CANNOT_CREATE),
    "out holds something": (_full_out, ExitCode.CANNOT_CREATE),
    "out is empty": (_empty_out, ExitCode.OK),
    "out leads nowhere": (_dangling_out, ExitCode.CANNOT_CREATE),
    "out is to be made with its parents": (lambda: ["--out", "a/b/c"], ExitCode.OK),
    "too long a name": (lambda: ["--out", 300 * "n"], ExitCode.CANNOT_CREATE),
}


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_check_and_run_agree(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    prepare, code = SURROUNDINGS[name]
    words = ["digits", *TINY, *prepare()]
    before = sorted(tmp_path.rglob("*"))
    assert main(["check", *words]) == code
    assert sorted(tmp_path.rglob("*")) == before
    assert main(["run", "-q", *words]) == code


def _weights(path: str) -> list[str]:
    return ["--set", f"model={{name: backbone, arch: 'timm:test_resnet', weights: {path}}}"]


def _bytes_as_weights() -> list[str]:
    Path("w.pt").write_bytes(b"no weights")
    return _weights("w.pt")


def _anothers_weights() -> list[str]:
    torch.save({"unheard.of": torch.zeros(2)}, "w.pt")
    return _weights("w.pt")


def _folder_as_weights() -> list[str]:
    Path("w.pt").mkdir()
    return _weights("w.pt")


def _no_such_device() -> list[str]:
    return ["--device", f"cuda:{torch.cuda.device_count()}"]


NEEDS: dict[str, tuple[Callable[[], list[str]], int]] = {
    "weights that are absent": (lambda: _weights("none.pt"), ExitCode.NO_INPUT),
    "weights that are damaged": (_bytes_as_weights, ExitCode.DATA),
    "weights that are another network's": (_anothers_weights, ExitCode.DATA),
    "a folder without weights": (_folder_as_weights, ExitCode.NO_INPUT),
    "a device that is not there": (_no_such_device, ExitCode.UNAVAILABLE),
    "a network that nobody knows": (lambda: ["--set", "model={name: backbone, arch: resnet19}"], ExitCode.RECIPE),
    "a metric that nobody computes": (lambda: ["--set", "train.best=val/luck"], ExitCode.RECIPE),
}


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for label, level in (("ant", 10), ("bee", 20)):
        (tmp_path / "pictures" / label).mkdir(parents=True)
        for number in range(4):
            cv2.imwrite(f"pictures/{label}/{number}.png", np.full((32, 32, 3), level + 30 * number, np.uint8))


@pytest.mark.parametrize("name", NEEDS)
def test_they_agree_on_what_a_run_needs(name: str, pictures: None) -> None:
    prepare, code = NEEDS[name]
    words = ["pictures", "--set", "data.image_size=32", "--set", "loader.workers=0", *prepare()]
    assert (main(["check", *words]), main(["run", "-q", *words])) == (code, code)


def test_what_only_the_network_knows_check_names(
    pictures: None, hub: Path, no_network: None, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["pictures", "--set", "data.image_size=32", "--set", "loader.workers=0"]
    words += ["--set", "model={name: backbone, arch: resnet18, pretrained: true}"]
    assert main(["check", *words]) == ExitCode.OK
    assert "https://download.pytorch.org/models/resnet18-f37072fd.pth" in capfd.readouterr().out
    assert main(["run", "-q", *words]) == ExitCode.UNAVAILABLE
    assert "https://download.pytorch.org/models/resnet18-f37072fd.pth" in capfd.readouterr().err
