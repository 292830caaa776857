"""The door: help, versions, exit codes, what is imported, what goes to stdout and what to stderr."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
from plugin_site import Site

from toolkit.cli.app import VERBS
from toolkit.errors import ExitCode

HEAVY = "torch", "timm", "torchvision", "albumentations", "torchmetrics", "sklearn", "matplotlib", "tensorboard", "rich"


def modules_after(args: list[str], path: Path, env: dict[str, str]) -> tuple[set[str], str]:
    """The modules that a fresh process has imported after a call of ``vtk``, and what it printed."""
    code = (
        "import sys, json; from toolkit.cli import main; code = main(sys.argv[1:]);"
        "print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *args],
        env={**env, "PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        check=True,
    )
    exit_code, modules = json.loads(done.stderr)
    assert exit_code == 0
    return set(modules), done.stdout


@pytest.mark.parametrize("args", [["--help"], ["plugins"], ["plugins", "--json"], ["--version"], ["run", "--help"]])
def test_light_commands_import_nothing_heavy_and_no_plugin(args: list[str], tmp_path: Path) -> None:
    import os

    site = Site(tmp_path)
    site.install("slow", tasks={"slow": "slow_plugin:plugin"}, modules={"slow_plugin": "raise SystemExit('imported')"})
    modules, out = modules_after(args, tmp_path, dict(os.environ))
    assert not modules & {*HEAVY, "slow_plugin", "vtk_classification", "vtk_style", "pydantic", "yaml"}
    assert out
    if args[0] == "plugins":
        assert "slow" in out


def test_help_names_every_verb_without_importing_one(tmp_path: Path) -> None:
    import os

    modules, out = modules_after(["--help"], tmp_path, dict(os.environ))
    assert not {f"toolkit.cli.{verb}" for verb in VERBS} & modules
    for verb, about in VERBS.items():
        assert f"{verb} " in out
        assert about in out


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_says_the_same_about_itself(verb: str) -> None:
    command = import_module(f"toolkit.cli.{verb.replace('-', '_')}").command
    assert command.short_help == VERBS[verb]


@pytest.mark.parametrize(
    "args", [[verb] for verb in VERBS if verb != "recipes"] + [["recipes", name] for name in ("ls", "show", "cp")]
)
def test_each_command_has_help_with_an_example(args: list[str], vtk: Callable) -> None:
    said = vtk(*args, "--help")
    assert said.code == ExitCode.OK
    assert f"vtk {' '.join(args)}" in said.out.split("Examples:")[1]


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["rnu"], ExitCode.USAGE, "did you mean 'run'?"),
        (["toy.yaml"], ExitCode.USAGE, "did you mean 'vtk run toy.yaml'?"),
        (["run"], ExitCode.USAGE, "Missing argument 'RECIPE'"),
        (["run", "toy.yaml", "--epochs", "3"], ExitCode.USAGE, "--epochs"),
        (["run", "toy.yaml", "--cuont", "3"], ExitCode.USAGE, "--count"),
        (["run", "toy.yaml", "extra"], ExitCode.USAGE, "extra"),
        (["run", "nowhere.yaml"], ExitCode.NO_INPUT, "nowhere.yaml"),
        (["run", "digist"], ExitCode.NO_INPUT, "digist"),
        (["run", "toy.yaml", "--set", "train.epoch=3"], ExitCode.RECIPE, "did you mean 'epochs'"),
        (["run", "toy.yaml", "--set", "train.epochs"], ExitCode.USAGE, "no '='"),
        (["run", "toy.yaml", "--set", "task=tyo"], ExitCode.RECIPE, "'toy'"),
        (["run", "toy.yaml", "--set", "train.epochs=[1,"], ExitCode.RECIPE, "train.epochs"),
        (["run", "toy.yaml", "--device", "cuda:99"], ExitCode.UNAVAILABLE, "CUDA"),
        (["run", "toy.yaml", "--device", "toaster"], ExitCode.RECIPE, "toaster"),
        (["run", "toy.yaml", "--resume"], ExitCode.USAGE, "--resume"),
        (["run", "toy.yaml", "--resume", "--out", "nowhere"], ExitCode.NO_INPUT, "nowhere"),
        (["check", "toy.yaml", "--cuont", "3"], ExitCode.USAGE, "--count"),
        (["eval", "nowhere"], ExitCode.NO_INPUT, "nowhere"),
        (["predict", "nowhere", "toy.yaml"], ExitCode.NO_INPUT, "nowhere"),
        (["recipes", "show", "nothing"], ExitCode.NO_INPUT, "nothing"),
        (["schema", "tyo"], ExitCode.RECIPE, "toy"),
        (["schema"], ExitCode.USAGE, "task"),
    ],
)
def test_a_mistake_is_told_on_stderr_and_leaves_nothing_behind(
    args: list[str], code: ExitCode, words: str, vtk: Callable, here: Path
) -> None:
    said = vtk(*args)
    assert (said.code, said.out) == (code, "")
    assert said.err.startswith("error: ")
    assert words in said.err
    assert "Traceback" not in said.err
    assert [path.name for path in here.iterdir()] == ["toy.yaml"]


def test_traceback_shows_where_an_error_came_from(vtk: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Traceback" in vtk("--traceback", "run", "nowhere.yaml").err
    assert "Traceback" in vtk("run", "toy.yaml", "--traceback", "--set", "train.epoch=3").err
    monkeypatch.setenv("VTK_TRACEBACK", "1")
    said = vtk("run", "nowhere.yaml")
    assert said.code == ExitCode.NO_INPUT
    assert "Traceback" in said.err


def test_alone_it_shows_its_help(vtk: Callable) -> None:
    said = vtk()
    assert (said.code, said.err) == (ExitCode.OK, "")
    assert "Commands:" in said.out


def test_version(vtk: Callable) -> None:
    from importlib.metadata import version

    assert vtk("--version").out == f"vtk {version('vision-toolkit')}\n"


def test_a_reader_that_leaves_is_no_error(start: Callable) -> None:
    child = start("plugins")
    child.stdout.close()
    with child.stderr:
        assert child.stderr.read() == ""
    assert child.wait(timeout=240) == ExitCode.READER_LEFT


def test_the_environment_is_set_before_torch_and_the_users_own_stands(start: Callable, tmp_path: Path) -> None:
    import os

    code = (
        "import os; from toolkit.cli import app; before = dict(os.environ);"
        "app._invoke = lambda *_: print(os.environ['NO_ALBUMENTATIONS_UPDATE'], os.environ['GOMP_SPINCOUNT']) or 0;"
        "app.main(['--version', '--no-plugins']); assert os.environ == before"
    )
    env = {k: v for k, v in os.environ.items() if k not in {"NO_ALBUMENTATIONS_UPDATE", "GOMP_SPINCOUNT"}}
    for extra, expected in ({}, "1 1000"), ({"GOMP_SPINCOUNT": "5"}, "1 5"):
        done = subprocess.run(
            [sys.executable, "-c", code], env={**env, **extra}, capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[-1] == expected


@pytest.mark.parametrize("number", ["1e308", "inf", "nan", "-1", "0", "1" + "0" * 400])
@pytest.mark.parametrize(
    "words",
    [
        ["bench", "toy.yaml", "--seconds"],
        ["plugins", "--check", "--timeout"],
        ["tune", "toy.yaml", "--lr", "--to"],
        ["tune", "toy.yaml", "--lr", "--from"],
        ["tune", "toy.yaml", "--lr", "--rates"],
        ["predict", "nowhere", "a.png", "--top"],
    ],
    ids=" ".join,
)
def test_numbers_without_a_sense_are_refused(words: list[str], number: str, vtk: Callable) -> None:
    said = vtk(*words, number)
    assert (said.code, said.out) == (ExitCode.USAGE, "")
    assert "is not in the range" in said.err or "is not a valid" in said.err
