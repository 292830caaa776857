"""The task as its users have it: installed, called through `vtk`, its backbone taken by a classifier."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from toolkit import SampleIndex
from toolkit.cli import main
from vtk_simsiam.data import DrawnPictures, TwoViews
from vtk_simsiam.model import Spread, build_backbone, likeness
from vtk_simsiam.probe import accuracy, settled, vote


def run(recipe: str, out: Path, *values: str) -> int:
    sets = ["loader.workers=0", "extensions.tensorboard=false", "train.device=cpu", *values]
    return main(["run", recipe, "--out", str(out), "--quiet", *(word for value in sets for word in ("--set", value))])


def test_views_depend_on_seed_epoch_and_index_alone_and_differ():
    samples = TwoViews(DrawnPictures(2, 32, (3,)), 32, 0.4)
    first, again, other = (samples[SampleIndex(1, epoch=e)].inputs for e in (1, 1, 2))
    assert first.shape == (2, 3, 32, 32)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first[0], first[1])


def test_the_loss_is_least_where_views_agree_and_no_gradient_enters_through_projections():
    same = torch.randn(5, 1, 8).expand(5, 4, 8).clone().requires_grad_()
    loss = likeness(same, None)
    assert loss.item() == pytest.approx(-1)
    likeness(torch.randn(5, 4, 8) * same, None).backward()
    assert same.grad is not None
    assert same.grad[:, :2].abs().sum() > 0
    assert same.grad[:, 2:].abs().sum() == 0


def test_a_collapse_is_seen():
    spread = Spread()
    spread.update(torch.ones(6, 4, 8), None)
    assert spread.compute() < 1e-3
    spread.reset()
    spread.update(torch.randn(500, 4, 8), None)
    assert spread.compute() == pytest.approx(1, abs=0.05)


def photographs(folder: Path, count: int) -> DrawnPictures:
    """Drawn pictures as files, in a folder for each shape."""
    drawn = DrawnPictures(count, 32, (99,))
    for i, (picture, shape) in enumerate(zip(drawn.pictures, drawn.shapes.tolist(), strict=True)):
        (folder / f"shape{shape}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(folder / f"shape{shape}" / f"{i}.png")
    return drawn


def classify(folder: Path, out: Path, model: str, train: str) -> float:
    """The accuracy of a classifier of the folder, whose backbone is frozen."""
    recipe = out.with_suffix(".yaml")
    recipe.write_text(
        f"task: classification\nname: classify\ndata: {{source: {{name: folder, root: {folder}}}, image_size: 32}}\n"
        f"model: {{name: backbone, freeze: backbone, {model}}}\ntrain: {train}\noptimizer: {{name: adam, lr: 0.01}}\n"
    )
    assert run(str(recipe), out) == 0
    return float(json.loads((out / "status.json").read_text())["metrics"]["accuracy"])


def table(out: Path, name: str) -> dict[str, Any]:
    """A table of a run's report: its first column and its second."""
    tables = json.loads((out / "report" / "report.json").read_text())["tables"]
    return dict(next(one["rows"] for one in tables if one["name"] == name))


@pytest.mark.parametrize("arch", ["resnet18", "timm:test_resnet"])
def test_a_classifier_starts_from_the_backbone(tmp_path: Path, arch: str):
    folder = tmp_path / "photos"
    photographs(folder, 30)
    source = f"data.source={{name: folder, root: {folder}, val: 0.2}}"
    train = "train={epochs: 1, batch_size: 8, best: last}"
    assert run("simsiam", tmp_path / "siam", source, train, f"model.arch={arch}") == 0
    learnt = load_file(tmp_path / "siam" / "backbone.safetensors")
    assert not any(name.startswith("fc.") for name in learnt)
    model = f"arch: {arch}, weights: {tmp_path}/siam/backbone.safetensors"
    assert table(tmp_path / "siam", "backbone")["use"] == f"model: {{name: backbone, {model}}}"
    classify(folder, tmp_path / "classifier", model, "{epochs: 1, batch_size: 8}")
    classifier = load_file(tmp_path / "classifier" / "bundle" / "model.safetensors")
    kept = [name for name in learnt if not name.endswith(("running_mean", "running_var", "num_batches_tracked"))]
    assert all(torch.equal(classifier[name], learnt[name]) for name in kept)
    assert classifier["fc.weight"].shape == (3, 512 if arch == "resnet18" else 96)


def test_neighbours_vote_the_nearer_with_more_weight():
    angles = torch.tensor([0.0, 0.1, 0.2, 3.0, 3.1])
    bank = torch.stack([angles.cos(), angles.sin()], 1)
    labels = torch.tensor([0, 0, 0, 2, 1])
    queries = torch.stack([torch.tensor([0.05, 3.0, 3.2]).cos(), torch.tensor([0.05, 3.0, 3.2]).sin()], 1)
    assert vote(bank, labels, queries).tolist() == [0, 2, 1]


def test_batch_norms_are_settled_on_a_copy():
    pictures, backbone = DrawnPictures(20, 32, (5,)), build_backbone("timm:test_resnet")[0].eval()
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    copied = settled(backbone, pictures)
    assert all(torch.equal(value, before[name]) for name, value in backbone.state_dict().items())
    first = next(module for module in copied.modules() if isinstance(module, torch.nn.BatchNorm2d))
    assert not torch.equal(first.running_mean, torch.zeros_like(first.running_mean))
    assert not copied.training


def test_the_untrained_backbone_of_the_report_is_the_one_that_training_began_with(tmp_path: Path):
    small = ("data.source={name: drawn, train: 64, val: 40}", "train={epochs: 1, batch_size: 32, best: last}")
    assert run("simsiam", tmp_path / "siam", *small, "optimizer.lr=1e-30", "seed=5") == 0
    torch.manual_seed(5)
    first, after = build_backbone("timm:test_resnet")[0], load_file(tmp_path / "siam" / "backbone.safetensors")
    assert all(torch.allclose(after[name], value, rtol=0, atol=1e-20) for name, value in first.named_parameters())
    found = table(tmp_path / "siam", "neighbours")
    known, asked = DrawnPictures(64, 32, (5, 0)), DrawnPictures(40, 32, (5, 1))
    assert found["untrained"] == pytest.approx(accuracy(first.eval(), known, asked), abs=0.001)
    assert found["always the most frequent shape"] == pytest.approx(np.bincount(asked.shapes).max() / 40, abs=0.001)


def test_a_backbone_that_does_not_exist_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run("simsiam", tmp_path / "run", "model.arch=timm:resnet_999") == 78
    assert "timm has no network called 'resnet_999'" in capsys.readouterr().err


def test_a_folder_without_pictures_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "empty").mkdir()
    assert run("simsiam", tmp_path / "run", f"data.source={{name: folder, root: {tmp_path}/empty}}") == 66
    assert "there is no picture in this folder" in capsys.readouterr().err


@pytest.mark.slow
def test_the_backbone_knows_what_no_label_told_it(tmp_path: Path):
    """By its neighbours, and by a classifier of a few labelled pictures whose backbone is frozen."""
    assert main(["run", "simsiam", "--demo", "--out", str(tmp_path / "siam"), "--quiet"]) == 0
    found = table(tmp_path / "siam", "neighbours")
    untrained = max(found["untrained"], found["untrained, batch norms settled"])
    assert untrained < 0.7
    assert found["after training"] > untrained + 0.2
    spread = json.loads((tmp_path / "siam" / "metrics.jsonl").read_text().splitlines()[-1])["val/spread"]
    assert spread > 0.9  # 1 where projections fill the sphere, 0 where they have collapsed

    photographs(tmp_path / "photos", 300)
    train = "{epochs: 30, batch_size: 32}"
    weights = f"weights: {tmp_path}/siam/backbone.safetensors"
    learnt, random = (
        classify(tmp_path / "photos", tmp_path / name, f"arch: timm:test_resnet, {start}", train)
        for name, start in (("learnt", weights), ("random", "pretrained: false"))
    )
    assert learnt > random + 0.15
