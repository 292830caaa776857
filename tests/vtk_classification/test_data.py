"""Data: one class map, one cut, augmentation for training alone, preprocessing that outlives the data."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from toolkit.errors import ExitCode, VtkError
from toolkit.recipe.resolved import ResolvedRecipe
from toolkit.run.run import Run
from toolkit.run.setup import build_data, new_run
from toolkit.types.data import IndexBatch

MakeRun = Callable[..., Run]


def images(run: Run, split: str, epoch: int) -> torch.Tensor:
    dataset = getattr(run.data, split)
    return dataset.__getitems__(IndexBatch(np.arange(len(dataset)), seed=run.seed, epoch=epoch)).inputs


def test_training_images_are_augmented_and_those_of_the_same_folder_that_validate_are_not(make_run: MakeRun) -> None:
    run = make_run("data.augment=standard")
    assert not torch.equal(images(run, "train", 0), images(run, "train", 1))
    assert torch.equal(images(run, "val", 0), images(run, "val", 1))
    plain = make_run("data.augment=none")
    assert torch.equal(images(run, "val", 0), images(plain, "val", 0))
    assert torch.equal(images(plain, "train", 0), images(plain, "train", 1))


def test_a_sample_is_the_same_whenever_the_same_epoch_asks_for_it(make_run: MakeRun) -> None:
    run = make_run("data.augment=standard")
    assert torch.equal(images(run, "train", 3), images(run, "train", 3))
    other = make_run("data.augment=standard")
    alone = other.data.train.__getitems__(IndexBatch(np.array([7]), seed=run.seed, epoch=3)).inputs[0]
    assert torch.equal(alone, images(run, "train", 3)[7])


def test_images_travel_as_bytes_and_are_normalised_on_the_device(make_run: MakeRun) -> None:
    run = make_run("data.normalize=imagenet")
    batch = run.data.val.__getitems__(IndexBatch(np.arange(4)))
    assert batch.inputs.dtype == torch.uint8
    assert batch.inputs.shape == (4, 24, 24, 3)
    normalised = run.data.transform(batch, None).inputs
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    expected = ((batch.inputs.numpy() / 255.0 - mean) / std).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(normalised.numpy(), expected, atol=1e-5)


def test_meta_says_all_that_a_bundle_needs(make_run: MakeRun) -> None:
    meta = make_run("data.normalize=half").data.meta
    assert meta["classes"] == ["cat", "dog"]
    assert (meta["image_size"], meta["channels"]) == (24, 3)
    assert meta["preprocess"]["resize"] == 28
    assert meta["preprocess"]["mean"] == [0.5]
    assert json.loads(json.dumps(meta)) == meta


@pytest.mark.parametrize(
    ("sets", "mean"),
    [
        (["data.normalize=auto"], [0.5]),
        (["data.normalize={mean: [0.1, 0.2, 0.3], std: [1]}"], [0.1, 0.2, 0.3]),
        (["model={name: backbone, arch: resnet18, pretrained: false}"], [0.485, 0.456, 0.406]),
        (["model={name: backbone, arch: vit_tiny_patch16_224, pretrained: false}", "data.image_size=16"], [0.5] * 3),
    ],
)
def test_normalisation_is_the_recipes_or_the_networks(make_run: MakeRun, sets: list[str], mean: list[float]) -> None:
    assert make_run(*sets).data.meta["preprocess"]["mean"] == pytest.approx(mean)


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        (["data.resize=20"], "no centre of 24 pixels"),
        (["data.normalize={mean: [0.5, 0.5], std: [0.5]}"], "2 numbers for images of 3 channels"),
        (["data.grey=true", "data.normalize=imagenet"], "those of colour images"),
        (["data.grey=true", "model={name: backbone, pretrained: false}"], "backbones take colour images"),
    ],
)
def test_keys_that_contradict_each_other_are_refused(make_run: MakeRun, sets: list[str], message: str) -> None:
    with pytest.raises(VtkError, match=message) as caught:
        make_run(*sets)
    assert caught.value.code == ExitCode.RECIPE


def test_grey_images_have_one_channel(make_run: MakeRun) -> None:
    run = make_run("data.grey=true")
    assert images(run, "val", 0).shape[-1] == 1
    assert run.model(run.data.transform(run.data.val.__getitems__([0]), None).inputs).shape == (1, 2)


def test_the_cut_is_stratified_and_follows_the_seed(make_run: MakeRun) -> None:
    def validation(*sets: str) -> list[str]:
        return [Path(path).name for path in make_run(*sets).data.val.paths]

    first = validation()
    assert len(first) == 10
    assert sum(name.startswith("cat") for name in first) == 5
    assert first == validation()
    assert first != validation("seed=1")
    assert first == validation("seed=1", "data.split.seed=0")


def test_a_run_keeps_its_cut_when_files_are_added(make_run: MakeRun, kaggle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    for file in kaggle.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (tmp_path / "run").mkdir()
    before = make_run(f"data.source.root={folder}", directory=tmp_path / "run").data
    (folder / "cat.99.jpg").write_bytes((folder / "cat.0.jpg").read_bytes())
    again = make_run(f"data.source.root={folder}", directory=tmp_path / "run").data
    assert again.val.paths == before.val.paths
    assert again.train.paths == before.train.paths
    assert again.fingerprint == before.fingerprint
    assert make_run(f"data.source.root={folder}").data.fingerprint != before.fingerprint


def later(kind: str, directory: Path, resolved: ResolvedRecipe) -> Run:
    """A run that goes on, or is evaluated, up to its data."""
    run = new_run(resolved, console=Console(quiet=True), directory=directory)
    run.resumed, run.trained_meta = kind == "resumed", None if kind == "resumed" else {"counts": [16, 16]}
    build_data(run)
    return run


@pytest.mark.parametrize("kind", ["resumed", "evaluated"])
@pytest.mark.parametrize("sets", [(), ("data.split.folds=4",), ("data.split.val=0", "data.limit=9")])
def test_a_run_whose_cut_is_gone_makes_no_other(
    kind: str, sets: tuple[str, ...], recipe: Callable[..., ResolvedRecipe], tmp_path: Path
) -> None:
    with pytest.raises(VtkError, match="which image is in which split is gone") as caught:
        later(kind, tmp_path, recipe(*sets))
    assert caught.value.code == ExitCode.NO_INPUT
    assert caught.value.hint == "bring split.json back, or start a new run"
    assert list(tmp_path.iterdir()) == []


def test_parts_that_the_source_brings_need_no_list(recipe: Callable[..., ResolvedRecipe], tmp_path: Path) -> None:
    run = later("evaluated", tmp_path, recipe("data.split.val=0"))
    assert len(run.data.train) == 40
    assert list(tmp_path.iterdir()) == []  # an evaluation writes nothing into a finished run
    later("resumed", tmp_path, recipe("data.split.val=0"))
    assert [file.name for file in tmp_path.iterdir()] == ["split.json"]


def test_a_limit_thins_every_split_and_keeps_the_proportions(make_run: MakeRun) -> None:
    data = make_run("data.limit=6").data
    assert (len(data.train), len(data.val)) == (6, 6)
    assert np.bincount(data.train.targets).tolist() == [3, 3]


def test_the_plan_counts_each_class_in_each_split(make_run: MakeRun) -> None:
    plan = make_run().data.plan
    assert plan["classes"] == {"cat": {"train": 15, "val": 5}, "dog": {"train": 15, "val": 5}}


def test_folders_make_the_same_classes_and_hidden_ones_none(make_run: MakeRun, by_class: Path) -> None:
    data = make_run(f"data.source={{name: folder, root: {by_class}}}").data
    assert data.meta["classes"] == ["cat", "dog"]
    assert len(data.train) + len(data.val) == 40


def test_missing_data_say_how_to_get_them_in_three_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from toolkit.recipe.load import load_recipe

    monkeypatch.chdir(tmp_path)
    with pytest.raises(VtkError) as caught:
        load_recipe("catsdogs").recipe.data.source.load()
    assert caught.value.code == ExitCode.NO_INPUT
    lines = (caught.value.hint or "").splitlines()
    assert len(lines) == 3
    assert "kaggle competitions download" in lines[0]
    assert "--images FOLDER" in lines[1]
    assert "--demo" in lines[2]
