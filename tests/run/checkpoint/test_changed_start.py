"""A resumed run goes on with what it began with, or with what its user accepts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from toolkit.errors import ExitCode, VtkError
from toolkit.recipe.load import load_recipe
from toolkit.recipe.resolved import ResolvedRecipe
from toolkit.run.checkpoint.policy import checkpoint_store
from toolkit.run.checkpoint.seal import differences
from toolkit.run.runner import Outcome, execute
from toolkit.run.status import read_status
from toolkit.system.file_digests import FileDigests

TEXT = "train: {epochs: 2, batch_size: 8, precision: fp32}\nextensions: {tensorboard: false, progress: false}\n"


def test_what_shapes_the_result_is_told_with_both_values() -> None:
    was = {"seed": 0, "optimizer": {"name": "adam", "lr": 0.1}, "stages": [{"epochs": 1}]}
    now = {"seed": 0, "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9}, "stages": []}
    assert differences(was, now, set()) == {
        "optimizer.name": ("adam", "sgd"),
        "optimizer.momentum": (None, 0.9),
        "stages": ([{"epochs": 1}], []),
    }


@pytest.fixture
def run(recipe: Callable[..., ResolvedRecipe], console: Console, tmp_path: Path) -> Callable[..., Outcome]:
    """Executes the toy recipe in ``tmp_path/run``."""

    def call(*sets: str, **kwargs: Any) -> Outcome:
        return execute(recipe(*sets, text=TEXT), console=console, out=tmp_path / "run", **kwargs)

    return call


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ("seed=7", "seed"),
        ("model.dropout=0.8", "model.dropout"),
        ("train.batch_size=5", "train.batch_size"),
        ("train.epochs=3", "train.epochs"),
        ("optimizer.lr=0.5", "optimizer.lr"),
        ("extensions.ema=true", "extensions.ema"),
        ("extensions.early_stopping.patience=9", "extensions.early_stopping"),
    ],
)
def test_a_recipe_that_is_not_the_one_it_began_with_is_refused_with_a_table(
    run: Callable[..., Outcome], tmp_path: Path, change: str, key: str
) -> None:
    run()
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    with pytest.raises(VtkError) as refused:
        run(change, resume=True)
    assert refused.value.code == ExitCode.RECIPE
    assert f"\n  {key} " in refused.value.message
    assert f"--accept {key}" in str(refused.value.hint)
    after = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    assert after == before


def test_the_options_of_an_extension_count(run: Callable[..., Outcome]) -> None:
    run("extensions.ema.decay=0.9")
    for change, what in (("extensions.ema.decay=0.5", "extensions.ema.decay"), ("extensions.ema=false", "ema")):
        with pytest.raises(VtkError, match=what):
            run(change, resume=True)


@pytest.mark.parametrize(
    "change",
    [
        "name=other",
        "train.log_every=3",
        "loader.workers=0",
        "extensions.tensorboard=true",
        "extensions.checkpoints.keep=5",
        "extensions.metrics=false",
        "train.precision=auto",
    ],
)
def test_where_and_how_it_runs_is_free(run: Callable[..., Outcome], change: str) -> None:
    run()
    assert run(change, resume=True).epochs == 2


def test_the_runs_own_recipe_file_is_not_what_counts(run: Callable[..., Outcome], tmp_path: Path) -> None:
    run()
    file = tmp_path / "run" / "recipe.yaml"
    file.write_text(file.read_text().replace("epochs: 2", "epochs: 5"))
    with pytest.raises(VtkError, match=r"train\.epochs +2 +5"):
        run("train.epochs=5", resume=True)


@pytest.mark.parametrize("accepted", ["train.epochs", "train"])
def test_more_epochs_are_the_same_as_if_they_had_been_asked_for_at_once(
    run: Callable[..., Outcome],
    recipe: Callable[..., ResolvedRecipe],
    console: Console,
    tmp_path: Path,
    accepted: str,
) -> None:
    run()
    more = run("train.epochs=4", resume=True, accept=[accepted])
    straight = execute(recipe("train.epochs=4", text=TEXT), console=console, out=tmp_path / "straight")
    assert (more.epochs, more.metrics) == (4, straight.metrics)
    files = [tmp_path / folder / "metrics.jsonl" for folder in ("run", "straight")]
    assert files[0].read_text() == files[1].read_text()
    change = {"key": "train.epochs", "was": 2, "now": 4, "where": "", "epoch": 2, "step": more.steps // 2}
    assert read_status(more.directory)["accepted"] == [change]
    report = json.loads((more.directory / "report" / "report.json").read_text())
    (table,) = [table for table in report["tables"] if table["name"] == "accepted-changes"]
    assert table["rows"] == [["train.epochs", "", "2", "4", 2]]
    assert run("train.epochs=4", resume=True).epochs == 4  # from now on that is what the run is held to
    assert "epochs: 4" in (more.directory / "recipe.yaml").read_text()


def test_accepting_one_thing_accepts_no_other(run: Callable[..., Outcome]) -> None:
    run()
    with pytest.raises(VtkError) as refused:
        run("train.epochs=4", "seed=3", resume=True, accept=["train.epochs"])
    assert "seed" in refused.value.message
    assert "train.epochs" not in refused.value.message


def test_what_is_accepted_and_has_not_changed_is_told(run: Callable[..., Outcome], console: Console) -> None:
    run()
    run(resume=True, accept=["trian.epochs"])
    assert "--accept trian.epochs: nothing of that name has changed" in console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("how", ["rows lost", "a value changed", "removed"])
def test_a_log_of_metrics_that_was_edited_is_refused(run: Callable[..., Outcome], tmp_path: Path, how: str) -> None:
    run()
    file = tmp_path / "run" / "metrics.jsonl"
    rows = file.read_text().splitlines(keepends=True)
    if how == "removed":
        file.unlink()
    else:
        file.write_text("".join(rows[1:]) if how == "rows lost" else rows[0].replace("0.", "1.", 1) + rows[1])
    with pytest.raises(VtkError, match=r"metrics\.jsonl") as refused:
        run(resume=True)
    assert refused.value.code == ExitCode.DATA
    assert run(resume=True, accept=["metrics.jsonl"]).epochs == 2


def test_rows_after_the_checkpoint_are_no_change(run: Callable[..., Outcome], tmp_path: Path) -> None:
    run()
    with (tmp_path / "run" / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 3, "step": 24, "train/lo')
    assert run(resume=True).epochs == 2


def test_a_file_that_grows_is_read_once(tmp_path: Path) -> None:
    import hashlib

    files, path = FileDigests(tmp_path), tmp_path / "log"
    files.add("log")
    assert files.state() == {}
    content = b""
    for part in (b"one\n", b"", b"two\n" * 1000):
        content += part
        path.write_bytes(content)
        assert files.state() == {"log": {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}}
    path.write_bytes(b"anew")
    files.add("log")
    assert files.state()["log"]["bytes"] == 4


def test_a_checkpoint_without_a_seal_is_held_to_the_runs_recipe(
    run: Callable[..., Outcome], tmp_path: Path, catalogue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    store = checkpoint_store(tmp_path / "run")
    (step, *_) = store.steps()[::-1]
    tree = store.load(step)
    del tree["seal"], tree["accepted"]
    store.save(step, tree)
    own = load_recipe(tmp_path / "run", catalogue=catalogue)
    monkeypatch.setattr("toolkit.recipe.load.load_recipe", lambda *_: own)
    with pytest.raises(VtkError, match="seed"):
        run("seed=3", resume=True)
    assert run(resume=True).epochs == 2
