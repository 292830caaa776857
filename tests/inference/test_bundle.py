"""Bundles: what is loaded is what was saved, and anything else is refused in words."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from toolkit import Bundle, Data
from toolkit.errors import ExitCode, VtkError
from toolkit.hooks.catalogue import Catalogue
from toolkit.recipe.load import load_text

pytestmark = pytest.mark.formats

META = {"features": 4, "classes": ["Käse", "no"]}
QUIET = "extensions: {checkpoints: false, early_stopping: false, metrics: false, progress: false, tensorboard: false}\n"


@pytest.fixture
def make(catalogue: Catalogue, tmp_path: Path) -> Callable[..., tuple[Bundle, nn.Module]]:
    """Saves a toy bundle under ``tmp_path/run/bundle``."""
    with_extensions = Catalogue([*Catalogue().plugins, *catalogue.plugins])

    def make(seed: int = 0, directory: Path | None = None, **meta: Any) -> tuple[Bundle, nn.Module]:
        text = "task: toy\ntrain: {epochs: 1}\noptimizer: {lr: 1e-3}\nmodel: {batch_norm: true}\n"
        recipe = load_text(text, name="toy", catalogue=with_extensions)
        torch.manual_seed(seed)
        data = Data(meta=META | meta, fingerprint="abc")
        model = recipe.task.plugin.vtk_model(recipe.recipe, data).to(memory_format=torch.contiguous_format)
        model[0].running_mean += torch.randn(4)
        where = directory or tmp_path / "run" / "bundle"
        return Bundle.save(where, model=model, recipe=recipe, data=data), model

    return make


def test_a_bundle_gives_back_model_meta_and_recipe(
    make: Callable[..., tuple[Bundle, nn.Module]], catalogue: Catalogue, tmp_path: Path
) -> None:
    _, model = make()
    for path in (tmp_path / "run", tmp_path / "run" / "bundle", tmp_path / "run" / "bundle" / "bundle.json"):
        bundle = Bundle.load(path, catalogue=catalogue)
        assert bundle.meta == META
        assert bundle.fingerprint == "abc"
        assert bundle.recipe.optimizer.lr == 1e-3
        assert type(bundle.recipe).__name__ == "ToyRecipe"
        assert bundle.versions["torch"] == torch.__version__.split("+")[0]
    loaded = bundle.model()
    assert not loaded.training
    x = torch.randn(3, 4)
    assert torch.equal(loaded(x), model.eval()(x))


def test_the_directory_holds_two_files_and_no_pickle(
    make: Callable[..., tuple[Bundle, nn.Module]], tmp_path: Path
) -> None:
    make()
    make(seed=1)
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == ["bundle"]
    assert sorted(p.name for p in (tmp_path / "run" / "bundle").iterdir()) == ["bundle.json", "model.safetensors"]


def test_equal_models_make_equal_bytes(make: Callable[..., tuple[Bundle, nn.Module]], tmp_path: Path) -> None:
    make(directory=tmp_path / "a")
    make(directory=tmp_path / "b")
    for name in ("bundle.json", "model.safetensors"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_tied_weights_survive(make: Callable[..., tuple[Bundle, nn.Module]], catalogue: Catalogue) -> None:
    bundle, model = make()
    model[1].weight.data = model[1].weight.data.t().contiguous().t()
    Bundle.save(bundle.directory, model=model, recipe=_resolved(catalogue), data=Data(meta=META))
    assert torch.equal(Bundle.load(bundle.directory, catalogue=catalogue).model()[1].weight, model[1].weight)


def _resolved(catalogue: Catalogue) -> Any:
    everything = Catalogue([*Catalogue().plugins, *catalogue.plugins])
    return load_text("task: toy\ntrain: {epochs: 1}\nmodel: {batch_norm: true}\n", catalogue=everything)


@pytest.mark.parametrize("file", ["bundle.json", "model.safetensors"])
def test_every_flipped_byte_is_noticed(make: Callable[..., tuple[Bundle, nn.Module]], file: str) -> None:
    bundle, _ = make()
    path = bundle.directory / file
    whole = path.read_bytes()
    for position in range(0, len(whole), 7):
        broken = bytearray(whole)
        broken[position] ^= 0x04
        path.write_bytes(broken)
        if file == "bundle.json" and _same_json(whole, bytes(broken)):
            continue
        with pytest.raises(VtkError) as caught:
            Bundle.load(bundle.directory)
        assert str(path) in str(caught.value)


def _same_json(whole: bytes, broken: bytes) -> bool:
    """A flipped byte in white space may leave the same facts."""
    try:
        return bool(json.loads(whole) == json.loads(broken))
    except ValueError:
        return False


@pytest.mark.parametrize("file", ["bundle.json", "model.safetensors"])
@pytest.mark.parametrize("keep", [0, 1, 100, -1])
def test_truncated_files_are_noticed(make: Callable[..., tuple[Bundle, nn.Module]], file: str, keep: int) -> None:
    bundle, _ = make()
    path = bundle.directory / file
    whole = path.read_bytes().rstrip()
    path.write_bytes(whole[:keep])
    with pytest.raises(VtkError, match="damaged") as caught:
        Bundle.load(bundle.directory)
    assert caught.value.code == ExitCode.DATA


@pytest.mark.parametrize("file", ["bundle.json", "model.safetensors"])
def test_a_lost_file_is_named(make: Callable[..., tuple[Bundle, nn.Module]], file: str) -> None:
    bundle, _ = make()
    (bundle.directory / file).unlink()
    with pytest.raises(VtkError, match="has lost its"):
        Bundle.load(bundle.directory)


def test_what_is_no_bundle_is_refused_in_words(tmp_path: Path) -> None:
    for path, message in [(tmp_path, "no bundle here"), (tmp_path / "none", "no such run or bundle")]:
        with pytest.raises(VtkError, match=message) as caught:
            Bundle.load(path)
        assert caught.value.code == ExitCode.NO_INPUT
    (tmp_path / "recipe.yaml").touch()
    with pytest.raises(VtkError, match="--resume"):
        Bundle.load(tmp_path)
    for foreign in ("[]", '{"format": "onnx"}', "1"):
        (tmp_path / "bundle.json").write_text(foreign)
        with pytest.raises(VtkError, match="no bundle of vision-toolkit"):
            Bundle.load(tmp_path)


def test_a_newer_format_asks_for_a_newer_version(tmp_path: Path) -> None:
    facts = {"format": 99, "versions": {"vision-toolkit": "7.1"}, "whatever": 1}
    (tmp_path / "bundle.json").write_text(json.dumps(facts))
    with pytest.raises(VtkError, match="format 99") as caught:
        Bundle.load(tmp_path)
    assert "7.1" in (caught.value.hint or "")


def test_a_task_that_is_not_installed_is_named(make: Callable[..., tuple[Bundle, nn.Module]]) -> None:
    bundle, _ = make()
    with pytest.raises(VtkError, match="'toy'"):
        Bundle.load(bundle.directory, catalogue=Catalogue([])).model()


def test_a_bundle_that_cannot_be_written_leaves_nothing(
    make: Callable[..., tuple[Bundle, nn.Module]], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(VtkError, match="cannot be written"):
        make(directory=tmp_path / "file" / "bundle")


def test_a_failed_save_keeps_the_bundle_that_was_there(
    make: Callable[..., tuple[Bundle, nn.Module]], tmp_path: Path
) -> None:
    bundle, _ = make()
    before = {p.name: p.read_bytes() for p in bundle.directory.iterdir()}
    with pytest.raises(ValueError, match="JSON"):
        make(seed=3, directory=bundle.directory, score=float("nan"))
    assert {p.name: p.read_bytes() for p in bundle.directory.iterdir()} == before
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["bundle"]


def test_a_copied_bundle_is_as_good(
    make: Callable[..., tuple[Bundle, nn.Module]], catalogue: Catalogue, tmp_path: Path
) -> None:
    bundle, model = make()
    shutil.copytree(bundle.directory, tmp_path / "elsewhere")
    shutil.rmtree(bundle.directory)
    x = torch.randn(2, 4)
    assert torch.equal(Bundle.load(tmp_path / "elsewhere", catalogue=catalogue).model()(x), model.eval()(x))
