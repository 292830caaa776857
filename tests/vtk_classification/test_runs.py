"""Whole runs: they learn, they freeze what they say, and equal seeds give equal weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from toolkit import Batch
from toolkit.errors import ExitCode, VtkError
from toolkit.recipe.load import load_recipe
from toolkit.recipe.resolved import ResolvedRecipe
from toolkit.run.run import Run
from toolkit.run.runner import execute

pytestmark = pytest.mark.formats

BACKBONE = "model={name: backbone, arch: timm:test_resnet, pretrained: false}"


def weights(run: Run) -> dict[str, torch.Tensor]:
    run.hook.vtk_fit(run=run)
    return {name: tensor.clone() for name, tensor in run.model.state_dict().items()}


def test_a_run_leaves_bundle_report_and_cut(trained: Any) -> None:
    directory, outcome = trained
    assert sorted(p.name for p in (directory / "bundle").iterdir()) == ["bundle.json", "model.safetensors"]
    facts = json.loads((directory / "report" / "report.json").read_text())
    assert "classification-report" in json.dumps(facts)
    assert {"confusion-matrix.png", "samples.png", "curves.png"} <= {p.name for p in (directory / "report").iterdir()}
    samples = json.loads((directory / "split.json").read_text())["samples"]
    assert {name: len(keys) for name, keys in samples.items()} == {"train": 20, "val": 10, "test": 10}
    assert outcome.metrics["accuracy"] >= 0.9


@pytest.mark.parametrize("kind", ["thread", "process"])
def test_equal_seeds_give_equal_weights_with_and_without_workers(make_run: Callable[..., Run], kind: str) -> None:
    sets = ["train.epochs=2", "data.augment=standard", "model.dropout=0.2"]
    alone = weights(make_run(*sets, "loader.workers=0"))
    two = weights(make_run(*sets, "loader.workers=2", f"loader.kind={kind}"))
    assert all(torch.equal(alone[name], two[name]) for name in alone)
    other = weights(make_run(*sets, "loader.workers=0", "seed=1"))
    assert not all(torch.equal(alone[name], other[name]) for name in alone)


def test_a_frozen_backbone_does_not_change_by_a_bit(make_run: Callable[..., Run]) -> None:
    run = make_run(BACKBONE, "model.freeze=backbone", "train.epochs=2")
    before = {name: tensor.clone() for name, tensor in run.model.state_dict().items()}
    after = weights(run)
    assert {name for name in after if not torch.equal(before[name], after[name])} == {"fc.weight", "fc.bias"}


def test_stages_train_the_head_first_and_then_everything(make_run: Callable[..., Run]) -> None:
    run = make_run(
        BACKBONE, "train.epochs=null", "stages=[{epochs: 1, train: head}, {epochs: 1, train: [layer4, head]}]"
    )
    before = {name: tensor.clone() for name, tensor in run.model.state_dict().items()}
    after = weights(run)
    changed = {name.split(".")[0] for name in after if not torch.equal(before[name], after[name])}
    assert changed == {"layer4", "fc"}
    assert run.epoch == 2


def test_label_smoothing_raises_the_loss_of_a_sure_answer(make_run: Callable[..., Run]) -> None:
    plain, smooth = make_run().loss, make_run("loss.label_smoothing=0.2").loss
    logits, batch = torch.tensor([[9.0, 0.0]], dtype=torch.float64), Batch(None, torch.tensor([0]))
    shares = logits.log_softmax(1)[0]
    assert plain(logits, batch).item() == pytest.approx(-shares[0].item())
    assert smooth(logits, batch).item() == pytest.approx(-(0.9 * shares[0] + 0.1 * shares[1]).item())


def test_a_run_that_starts_untrained_says_so(
    recipe: Callable[..., ResolvedRecipe], console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import urllib.request

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setattr(urllib.request, "_opener", None)
    sets = ["model={name: backbone, arch: resnet18, pretrained: auto}", "train={steps: 1, precision: fp32}"]
    execute(recipe(*sets, "data.limit=8", "train.epochs=null"), console=console, out=tmp_path / "run")
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert "starts untrained" in said
    start = "untrained, for want of published weights"
    assert f" parameters, {start} · " in said
    assert starts(tmp_path / "run") == [start] * 3
    execute(load_recipe(tmp_path / "run"), console=console, out=tmp_path / "run", resume=True)
    assert starts(tmp_path / "run") == [start] * 3
    assert f"The network before training: {start}." in (tmp_path / "run" / "report" / "index.html").read_text()


def starts(run: Path) -> list[str | None]:
    """What a run's status, its bundle and its report say that the network began with."""
    files = ("status.json", "bundle/bundle.json", "report/report.json")
    return [json.loads((run / name).read_text()).get("start") for name in files]


def test_a_folder_of_ones_own_runs_with_the_default_recipe(
    by_class: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from toolkit.cli import main

    run = tmp_path / "run"
    tiny = ["model.pretrained=false", "data.image_size=32", "train.epochs=1", "model.arch=timm:test_resnet"]
    monkeypatch.chdir(by_class.parent)
    assert main(["run", by_class.name, "--out", str(run), *(word for value in tiny for word in ("--set", value))]) == 0
    assert json.loads((run / "bundle" / "bundle.json").read_text())["meta"]["classes"] == ["cat", "dog"]

    assert main(["eval", str(run)]) == 0
    monkeypatch.chdir(tmp_path)
    capfd.readouterr()
    assert main(["eval", str(run)]) == ExitCode.NO_INPUT
    assert f"the run was started in {by_class.parent}" in capfd.readouterr().err
    assert main(["run", str(run), "--resume"]) == ExitCode.NO_INPUT
    assert f"the run was started in {by_class.parent}" in capfd.readouterr().err


def test_one_class_is_refused(recipe: Callable[..., ResolvedRecipe], console: Console, tmp_path: Path) -> None:
    (tmp_path / "data" / "only").mkdir(parents=True)
    (tmp_path / "data" / "only" / "1.jpg").touch()
    with pytest.raises(VtkError, match="only one class"):
        execute(recipe(f"data.source={{name: folder, root: {tmp_path / 'data'}}}"), console=console, out=tmp_path / "r")
