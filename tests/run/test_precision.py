"""The format of training is settled once, by what the hardware has, and kept wherever the run goes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest
import torch
import yaml
from rich.console import Console
from safetensors.torch import load_file

from toolkit.errors import ExitCode, VtkError
from toolkit.recipe.load import load_recipe, load_text
from toolkit.recipe.resolved import ResolvedRecipe
from toolkit.recipe.sections import TrainSection
from toolkit.run.checkpoint.policy import checkpoint_store
from toolkit.run.checkpoint.resume import changed_start
from toolkit.run.precision import plan_precision, precision_formats, settle_precision
from toolkit.run.runner import execute
from toolkit.run.setup import prepare
from toolkit.system.precision import auto_precision

pytestmark = pytest.mark.formats

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
FEATURES = "VTK_CPU_FEATURES"
Recipe = Callable[..., ResolvedRecipe]


class NoHalf(TrainSection):
    precision: Literal["auto", "fp32", "bf16"] = "auto"


@pytest.mark.parametrize(
    ("capability", "name"),
    [((12, 0), "bf16"), ((9, 0), "bf16"), ((8, 0), "bf16"), ((7, 5), "fp16"), ((7, 0), "fp16"), ((6, 1), "fp32")],
)
def test_auto_takes_what_the_gpu_gains_by(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], name: str
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    found, why = auto_precision(CUDA)
    assert found == name
    assert f"{capability[0]}.{capability[1]}" in why


@pytest.mark.parametrize(
    ("features", "name", "why"),
    [
        ("none", "fp32", "has neither AMX nor AVX-512 bf16"),
        ("avx512_bf16", "bf16", "has native bf16 (AVX-512)"),
        ("amx_bf16", "bf16", "has native bf16 (AMX)"),
        ("avx512_bf16,amx_bf16", "bf16", "has native bf16 (AMX)"),
    ],
)
def test_auto_takes_what_the_cpu_has(monkeypatch: pytest.MonkeyPatch, features: str, name: str, why: str) -> None:
    monkeypatch.setenv(FEATURES, features)
    assert auto_precision(CPU) == (name, f"by {FEATURES} this CPU {why}")


def test_auto_stays_within_what_the_tasks_schema_admits(monkeypatch: pytest.MonkeyPatch) -> None:
    assert precision_formats(SimpleNamespace(train=TrainSection())) == {"fp32", "bf16", "fp16"}  # type: ignore[arg-type]
    admitted = precision_formats(SimpleNamespace(train=NoHalf()))  # type: ignore[arg-type]
    assert admitted == {"fp32", "bf16"}
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    name, why = auto_precision(CUDA, admitted)
    assert name == "fp32"
    assert "the task has no fp16" in why


def test_no_clock_has_a_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FEATURES, "avx512_bf16")
    for clock in ("perf_counter", "monotonic", "time", "process_time"):
        monkeypatch.setattr(time, clock, lambda: pytest.fail("a clock was read"))
    assert auto_precision(CPU)[0] == "bf16"


def test_a_wrong_word_in_the_variable_ends_the_start(monkeypatch: pytest.MonkeyPatch, make_run: Any) -> None:
    monkeypatch.setenv(FEATURES, "amx")
    with pytest.raises(VtkError, match="'amx' is no CPU feature"):
        make_run()


def test_fp16_on_the_cpu_is_refused(make_run: Any) -> None:
    with pytest.raises(VtkError, match="fp16 training needs a GPU") as caught:
        make_run("train.precision=fp16")
    assert caught.value.code == ExitCode.RECIPE


def test_what_the_recipe_says_is_not_settled(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FEATURES, "amx_bf16")
    resolved = recipe("train.precision=fp32")
    settled = settle_precision(resolved, CPU)
    assert settled is resolved
    assert plan_precision(settled, CPU).why == "as the recipe says"


@pytest.mark.parametrize(("features", "name", "other"), [("none", "fp32", "amx_bf16"), ("amx_bf16", "bf16", "none")])
def test_the_runs_recipe_says_the_format_and_gives_the_same_on_another_cpu(
    recipe: Recipe,
    console: Console,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    features: str,
    name: str,
    other: str,
    catalogue: Any,
) -> None:
    monkeypatch.setenv(FEATURES, features)
    execute(recipe(), console=console, out=tmp_path / "here")
    text = (tmp_path / "here" / "recipe.yaml").read_text()
    why = json.loads((tmp_path / "here" / "origins.json").read_text())["train.precision"]
    environment = json.loads((tmp_path / "here" / "environment.json").read_text())
    assert yaml.safe_load(text)["train"]["precision"] == name
    assert why.startswith("auto: ")
    assert f"# train.precision was {why}\n" in text
    assert environment["precision"] == {"train": name, "why": why.removeprefix("auto: "), "inference": "fp32"}
    assert f"cpu · {name}: {why.removeprefix('auto: ')}" in console.file.getvalue()  # type: ignore[attr-defined]

    monkeypatch.setenv(FEATURES, other)
    again = load_recipe(tmp_path / "here" / "recipe.yaml", catalogue=catalogue)
    execute(again, console=console, out=tmp_path / "there")
    assert yaml.safe_load((tmp_path / "there" / "recipe.yaml").read_text())["train"]["precision"] == name
    weights = [load_file(tmp_path / place / "bundle" / "model.safetensors") for place in ("here", "there")]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def _begun(recipe: Recipe, console: Console, folder: Path) -> None:
    """A run that ends after two epochs, with a checkpoint."""
    text = "train: {epochs: 2, batch_size: 8}\nextensions: {tensorboard: false}\n"
    execute(recipe(text=text), console=console, out=folder)


def test_a_run_goes_on_in_its_format_on_another_cpu(
    recipe: Recipe, console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, catalogue: Any
) -> None:
    monkeypatch.setenv(FEATURES, "avx512_bf16")
    _begun(recipe, console, tmp_path / "run")
    monkeypatch.setenv(FEATURES, "none")
    snapshot = checkpoint_store(tmp_path / "run").load_latest()[0]
    for source in (
        load_recipe(tmp_path / "run" / "recipe.yaml", catalogue=catalogue),
        recipe(text="train: {epochs: 2, batch_size: 8}\nextensions: {tensorboard: false}\n"),  # still says auto
    ):
        run = prepare(source, console=console, directory=tmp_path / "run", snapshot=dict(snapshot))
        assert run.precision is not None
        assert (run.precision.name, run.recipe.train.precision) == ("bf16", "bf16")


def test_the_recipe_that_said_auto_goes_on_with_its_run_and_another_format_does_not(
    recipe: Recipe, console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, catalogue: Any
) -> None:
    monkeypatch.setenv(FEATURES, "avx512_bf16")
    _begun(recipe, console, tmp_path / "run")
    text = "task: toy\ntrain: {epochs: 2, batch_size: 8%s}\nextensions: {tensorboard: false}\n"
    snapshot = checkpoint_store(tmp_path / "run").load_latest()[0]
    same = load_text(text % "", name="toy", catalogue=catalogue)
    assert changed_start(same, tmp_path / "run", snapshot, []) == []
    with pytest.raises(VtkError, match=r"train\.precision +bf16 +fp32"):
        changed_start(
            load_text(text % ", precision: fp32", name="toy", catalogue=catalogue), tmp_path / "run", snapshot, []
        )
