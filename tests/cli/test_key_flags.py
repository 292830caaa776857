"""Flags that other tools have: the answer is the ``--set`` that does the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from toolkit.errors import ExitCode


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--epochs", "5"], "--set train.epochs=5"),
        (["--epochs=5"], "--set train.epochs=5"),
        (["--lr", "1e-3"], "--set optimizer.lr=1e-3"),
        (["--lr"], "--set optimizer.lr=VALUE"),
        (["--batch-size", "8"], "--set train.batch_size=8"),
        (["--bs", "8"], "--set train.batch_size=8"),
        (["--learning-rate", "0.1"], "--set optimizer.lr=0.1"),
        (["--num_workers", "2"], "--set loader.workers=2"),
        (["--train.epochs", "2"], "--set train.epochs=2"),
        (["--seed", "3"], "--set seed=3"),
        (["--name", "x"], "--set name=x"),
        (["--amp"], "--set train.precision=bf16"),
        (["--optimizer", "sgd"], "--set optimizer.name=sgd"),
        (["--workers=2"], "--set loader.workers=2"),
        (["--project", "here"], "--out here"),
    ],
)
@pytest.mark.parametrize("verb", ["run", "check"])
def test_a_flag_of_another_tool_is_answered_with_the_key(
    verb: str, flags: list[str], words: str, vtk: Callable
) -> None:
    said = vtk(verb, "toy.yaml", *flags)
    assert (said.code, said.out) == (ExitCode.USAGE, "")
    assert words in said.err
    assert f"there is no option {flags[0].partition('=')[0]}" in said.err


@pytest.mark.parametrize("flag", ["--img-size", "--aug", "--nonsense"])
def test_a_key_that_the_task_has_not_is_not_recommended(flag: str, vtk: Callable) -> None:
    said = vtk("run", "toy.yaml", flag, "3")
    assert said.code == ExitCode.USAGE
    assert "--set" not in said.err


def test_a_recipe_that_cannot_be_read_is_what_is_told(vtk: Callable) -> None:
    said = vtk("run", "nowhere.yaml", "--epochs", "3")
    assert said.code == ExitCode.NO_INPUT


@pytest.mark.parametrize(
    ("name", "verb"), [("train", "run"), ("evaluate", "eval"), ("infer", "predict"), ("lr-find", "tune")]
)
def test_a_verb_of_another_tool_is_answered_with_ours(name: str, verb: str, vtk: Callable) -> None:
    said = vtk(name, "toy.yaml")
    assert said.code == ExitCode.USAGE
    assert f"did you mean '{verb}'?" in said.err
