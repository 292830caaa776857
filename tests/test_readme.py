"""What the README shows is there, and the commands in it work.

``vtk run`` is answered by ``vtk check`` with the same arguments, which resolves recipe, plugins, data and model;
training itself is what the rest of the tests do. Every other command runs as written.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toolkit.cli import main
from toolkit.recipe.embedded import save_options
from toolkit.recipe.load import load_recipe

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def commands() -> list[str]:
    """Every ``vtk`` command in a console block or a table cell."""
    blocks = re.findall(r"```console\n(.*?)```", README, re.S)
    lines = [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    shown = [command for line in lines for command in line.split(" && ") if command.startswith("vtk ")]
    return list(dict.fromkeys(shown + re.findall(r"^\|[^|]*\| `(vtk [^`]*)` \|$", README, re.M)))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with what the README's reader has: pictures, a data set, a finished run."""
    folder = tmp_path_factory.mktemp("desk")
    before = Path.cwd()
    os.chdir(folder)
    for name in ("some.jpg", "a.jpg", "b.jpg", *(f"photos/{c}/{i}.jpg" for c in ("red", "blue") for i in range(5))):
        picture(folder / name)
    for number in range(10):
        picture(folder / f"data/dogs-vs-cats/train/{('cat', 'dog')[number % 2]}.{number}.jpg")
    labels = [f"{c}/{i}.jpg,{c}|{'odd' if i % 2 else 'even'}" for c in ("red", "blue") for i in range(5)]
    (folder / "labels.csv").write_text("\n".join(["path,labels", *labels]))
    (folder / "recipes").symlink_to(ROOT / "recipes")
    style = load_recipe("style", flags=[("--content", "a.jpg"), ("--style", "b.jpg")])
    Image.new("RGB", (64, 64)).save(folder / "painted.png", **save_options("PNG", style.to_yaml()))
    quick = ["--set", "train.epochs=1", "--quiet"]
    for run in ("catsdogs", "digits"):
        assert main(["run", "digits", "--out", f"runs/{run}-1", *quick]) == 0
    yield folder
    os.chdir(before)


def picture(path: Path) -> None:
    """A small JPEG of random colours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(list(str(path).encode())).integers(0, 255, (80, 96, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)


def test_there_are_commands_to_look_at() -> None:
    assert len(commands()) >= 14


@pytest.mark.parametrize("command", commands())
def test_a_command_works(command: str, desk: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = shlex.split(command.replace("…", "1"))[1:]
    if arguments[0] == "run" and "--resume" not in arguments:
        arguments = ["check", *arguments[1:]]
    if arguments[0] == "bench":
        arguments += ["--seconds", "0.5"]
    assert main(arguments) == 0, capfd.readouterr().err


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\((?!http)([^)#]+)\)", README))))
def test_a_link_leads_somewhere(target: str) -> None:
    assert (ROOT / target).exists()


def test_each_exit_code_is_the_one_in_use() -> None:
    from toolkit.errors import ExitCode

    told = re.search(r"Exit codes are stable:(.*?)\n\n", README, re.S)
    assert told is not None
    assert {int(n) for n in re.findall(r"\b\d+\b", told[1])} == {int(code) for code in ExitCode}
