"""A checkpoint that is sealed but makes no sense, and best weights that are damaged, are found before training."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from toolkit.errors import ExitCode, VtkError
from toolkit.recipe.resolved import ResolvedRecipe
from toolkit.run.checkpoint.policy import best_store, checkpoint_store
from toolkit.run.checkpoint.store import CheckpointStore
from toolkit.run.runner import execute

TEXT = """
train: {epochs: 3, batch_size: 8, precision: fp32}
extensions: {tensorboard: false, progress: false, ema: true, early_stopping: true}
"""


@pytest.fixture
def resume(recipe: Callable[..., ResolvedRecipe], console: Console, tmp_path: Path) -> Callable[[], Any]:
    """Goes on with a run that has ended."""
    resolved = recipe(text=TEXT)
    execute(resolved, console=console, out=tmp_path)
    return lambda: execute(resolved, console=console, out=tmp_path, resume=True)


def seal(directory: Path, plain: bytes) -> None:
    """A checkpoint's JSON as somebody puts it there who makes the checksum right."""
    (directory / "state.json").write_bytes(plain)
    manifest = json.loads((directory / "manifest.json").read_bytes())
    manifest["sha256"]["state.json"] = hashlib.sha256(plain).hexdigest()
    (directory / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    "plain",
    [
        b"[" * 100_000 + b"]" * 100_000,
        b'{"~": "dict", "v": ' * 400 + b"1" + b"}" * 400,
        b'{"~": "nothing", "v": 1}',
        b'{"v": 1}',
        b'{"~": "tensor", "v": "no such"}',
        b'{"~": "dict", "v": 3}',
        b"null",
        b"12",
        b'{"~": "dict", "v": []}',
        b"\xff\xfe",
    ],
)
def test_state_of_another_form_is_bad_data(tmp_path: Path, resume: Callable[[], Any], plain: bytes) -> None:
    store = checkpoint_store(tmp_path)
    for step in store.steps():
        seal(store.directory / f"step-{step:09d}", plain)
    with pytest.raises(VtkError) as refused:
        resume()
    assert refused.value.code == ExitCode.DATA


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("position", {"stage": 0}),
        ("position", {**dict.fromkeys(("stage", "epoch", "stage_epoch", "stage_step", "epoch_step"), 0), "step": -3}),
        ("best", {"metric": 3}),
        ("history", "none"),
        ("plugins", {"ema": 3}),
        ("plugins", {"ema": {"weights": {}, "updates": 1}}),
        ("plugins", {"early_stopping": {"waited": -5, "best": [1]}}),
        ("plugins", {"early_stopping": {"waited": 0, "best": float("nan"), "stage": 0}}),
        ("plugins", {"early_stopping": {"waited": True, "best": None, "stage": 0}}),
        ("precision", {"name": "fp7"}),
        ("model", {}),
        ("model", {"layer.weight": torch.zeros(1)}),
        ("optimizer", {"state": {}, "param_groups": [1]}),
        ("losses", {"unheard": "of"}),
        ("random", {"python": 1}),
        ("seal", {"recipe": {}}),
    ],
)
def test_a_tree_that_makes_no_sense_is_bad_data(
    tmp_path: Path, resume: Callable[[], Any], key: str, value: Any
) -> None:
    store = checkpoint_store(tmp_path)
    for step in store.steps():
        store.save(step, {**store.load(step), key: value})
    with pytest.raises(VtkError) as refused:
        resume()
    assert refused.value.code == ExitCode.DATA


@pytest.mark.parametrize(
    "change",
    [
        lambda plugins: plugins["ema"].update(updates=-1),
        lambda plugins: plugins["ema"].update(updates="3"),
        lambda plugins: plugins["early_stopping"].pop("stage"),
        lambda plugins: plugins["early_stopping"].update(waited=-1),
        lambda plugins: plugins["ema"].update({"weights": {k: v.long() for k, v in plugins["ema"]["weights"].items()}}),
    ],
)
def test_an_extensions_state_that_makes_no_sense_is_told_with_its_file(
    tmp_path: Path, resume: Callable[[], Any], change: Callable[[Any], object]
) -> None:
    store = checkpoint_store(tmp_path)
    for step in store.steps():
        tree = store.load(step)
        tree["stop_reason"] = None
        change(tree["plugins"])
        store.save(step, tree)
    with pytest.raises(VtkError) as refused:
        resume()
    assert refused.value.code == ExitCode.DATA
    assert refused.value.place == str(store.state_file(store.steps()[-1]))


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool])
def test_weights_of_another_kind_of_number_are_refused(
    tmp_path: Path, resume: Callable[[], Any], dtype: torch.dtype
) -> None:
    store = checkpoint_store(tmp_path)
    for step in store.steps():
        tree = store.load(step)
        weights = {name: value.to(dtype) for name, value in tree["model"].items()}
        store.save(step, {**tree, "model": weights})
    with pytest.raises(VtkError, match=f"{str(dtype).removeprefix('torch.')} instead of float32") as refused:
        resume()
    assert refused.value.code == ExitCode.DATA


def damage(store: CheckpointStore, steps: list[int]) -> None:
    for step in steps:
        path = store.directory / f"{store.kind}-{step:09d}" / "state.safetensors"
        path.write_bytes(path.read_bytes()[:-1] + b"?")


def test_damaged_best_weights_are_found_before_training(
    tmp_path: Path, resume: Callable[[], Any], console: Console
) -> None:
    damage(best_store(tmp_path), best_store(tmp_path).steps())
    said = len(console.file.getvalue())  # type: ignore[attr-defined]
    with pytest.raises(VtkError, match="damaged") as refused:
        resume()
    assert refused.value.code == ExitCode.DATA
    assert "best-" in str(refused.value.place)
    assert "epoch" not in console.file.getvalue()[said:]  # type: ignore[attr-defined]


def test_a_run_whose_best_weights_are_damaged_goes_on_from_before_them(
    tmp_path: Path, resume: Callable[[], Any], console: Console
) -> None:
    best, steps = best_store(tmp_path), checkpoint_store(tmp_path)
    last = {step: steps.load(step)["best"]["step"] for step in steps.steps()}
    assert len(set(last.values())) == 2, "the toy's last epoch is its best"
    damage(best, [max(last.values())])
    assert resume().epochs == 3
    assert "warning" in console.file.getvalue()  # type: ignore[attr-defined]
    best.verify(max(last.values()))
