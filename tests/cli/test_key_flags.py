"""Flags that other tools have: the answer is the ``--set`` that does the same."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from schema_keys import keys

from toolkit.cli.key_flags import _NAMES
from toolkit.errors import ExitCode
from vtk_classification.config import ClassificationRecipe


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


def test_the_keys_that_are_recommended_exist() -> None:
    known = {re.sub(r"\[[^\]]*\]", "", key) for key in keys(ClassificationRecipe)}
    named = {part for key in known for part in (key, key.rpartition(".")[0], f"{key.rpartition('.')[0]}.name")}
    assert {key for key in _NAMES if key not in named} == set()


def test_label_smoothing_by_timms_name(vtk: Callable, here: Path) -> None:
    text = "task: classification\ndata: {source: {name: digits}}\nmodel: {name: cnn}\ntrain: {epochs: 1}\n"
    (here / "c.yaml").write_text(text)
    assert "--set loss.label_smoothing=0.1" in vtk("check", "c.yaml", "--smoothing", "0.1").err
    assert "--set data.split.val=0.3" in vtk("check", "c.yaml", "--val-split", "0.3").err


@pytest.mark.parametrize(
    ("name", "verb"), [("train", "run"), ("evaluate", "eval"), ("infer", "predict"), ("lr-find", "tune")]
)
def test_a_verb_of_another_tool_is_answered_with_ours(name: str, verb: str, vtk: Callable) -> None:
    said = vtk(name, "toy.yaml")
    assert said.code == ExitCode.USAGE
    assert f"did you mean '{verb}'?" in said.err
