"""The task as its users have it: installed, called through `vtk`, its backbone taken by a classifier."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from toolkit import SampleIndex
from toolkit.cli import main
from vtk_simsiam.data import DrawnPictures, TwoViews
from vtk_simsiam.model import Spread, likeness


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


def test_a_classifier_starts_from_the_backbone(tmp_path: Path):
    folder = tmp_path / "photos"
    for i, picture in enumerate(DrawnPictures(24, 40, (1,)).pictures):
        (folder / str(i % 2)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(folder / str(i % 2) / f"{i}.png")
    source = f"data.source={{name: folder, root: {folder}, val: 0.2}}"
    assert run("simsiam", tmp_path / "siam", source, "train={epochs: 1, batch_size: 8, best: last}") == 0
    learnt = load_file(tmp_path / "siam" / "backbone.safetensors")
    assert not any(name.startswith("fc.") for name in learnt)

    recipe = tmp_path / "classify.yaml"
    recipe.write_text(
        f"task: classification\nname: classify\ndata: {{source: {{name: folder, root: {folder}}}, image_size: 32}}\n"
        f"model: {{name: backbone, arch: resnet18, freeze: backbone, weights: {tmp_path}/siam/backbone.safetensors}}\n"
        "train: {epochs: 1, batch_size: 8}\n"
    )
    assert run(str(recipe), tmp_path / "classifier") == 0
    classifier = load_file(tmp_path / "classifier" / "bundle" / "model.safetensors")
    kept = [name for name in learnt if not name.endswith(("running_mean", "running_var", "num_batches_tracked"))]
    assert all(torch.equal(classifier[name], learnt[name]) for name in kept)
    assert classifier["fc.weight"].shape == (2, 512)


def test_a_folder_without_pictures_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "empty").mkdir()
    assert run("simsiam", tmp_path / "run", f"data.source={{name: folder, root: {tmp_path}/empty}}") == 66
    assert "there is no picture in this folder" in capsys.readouterr().err
