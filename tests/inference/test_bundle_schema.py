"""A bundle whose checksums are right and whose facts make no sense, and what running out of memory looks like."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from toolkit.cli.failures import report
from toolkit.data.preprocess import Preprocess
from toolkit.errors import ExitCode, VtkError, is_out_of_memory
from toolkit.inference.bundle import Bundle, _digest
from toolkit.inference.bundle_schema import label_meta
from toolkit.inference.predict import predict_files
from toolkit.recipe.load import load_text

RECIPE = """
task: classification
data: {source: {name: digits}, image_size: 8}
model: {name: cnn, channels: [4]}
train: {epochs: 1, precision: fp32}
"""
SIZE = Preprocess(height=8, width=8, resize=None, mean=[0.5], std=[0.5]).to_json()
META = {"classes": ["a", "b"], "image_size": 8, "channels": 3, "preprocess": SIZE, "counts": [1, 1]}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that predicts."""
    from toolkit.labelled_images.model import build_model
    from toolkit.types.data import Data

    resolved, data = load_text(RECIPE), Data(meta=dict(META))
    folder = tmp_path_factory.mktemp("bundle") / "bundle"
    Bundle.save(folder, model=build_model(resolved.recipe.model, data), recipe=resolved, data=data)  # type: ignore[attr-defined]
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder.parent / "a.png")
    return folder


def changed(sound: Path, folder: Path, **facts: Any) -> Path:
    """A copy with other facts, or without those that are ``...``, and the right checksum."""
    values = json.loads((sound / "bundle.json").read_text()) | facts
    values = {key: value for key, value in values.items() if value is not ...}
    values["facts_sha256"] = _digest(values)
    (folder / "model.safetensors").write_bytes((sound / "model.safetensors").read_bytes())
    (folder / "bundle.json").write_text(json.dumps(values))
    return folder


def answers(folder: Path, image: Path) -> list[Any]:
    found = list(predict_files(Bundle.load(folder, device="cpu"), [image]))
    if found[0].error is not None:
        raise found[0].error
    return found


def test_the_copy_itself_predicts(sound: Path, tmp_path: Path) -> None:
    assert answers(changed(sound, tmp_path), sound.parent / "a.png")[0].record["class"] in "ab"


@pytest.mark.parametrize(
    "facts",
    [
        {"meta": ...},
        {"meta": None},
        {"meta": {}},
        {"meta": META | {"preprocess": None}},
        {"meta": META | {"preprocess": SIZE | {"height": 0}}},
        {"meta": META | {"preprocess": SIZE | {"mean": ["a"]}}},
        {"meta": META | {"channels": -1}},
        {"meta": META | {"channels": 10**12}},
        {"meta": META | {"image_size": 10**12}},
        {"meta": META | {"image_size": "8"}},
        {"meta": META | {"classes": None}},
        {"meta": META | {"classes": []}},
        {"meta": META | {"classes": [1, 2]}},
        {"recipe": []},
        {"recipe": {"task": "classification"}},
        {"task": 7},
        {"task": ""},
        {"versions": "1"},
        {"versions": None},
        {"fingerprint": [1]},
        {"weights_sha256": None},
        {"run_files": {"split.json": "x"}},
        {"format": 0},
        {"format": 99, "versions": [1]},
    ],
)
def test_facts_that_make_no_sense_are_bad_data(sound: Path, tmp_path: Path, facts: dict[str, Any]) -> None:
    with pytest.raises(VtkError) as refused:
        answers(changed(sound, tmp_path, **facts), sound.parent / "a.png")
    assert refused.value.code == ExitCode.DATA
    assert str(tmp_path) in str(refused.value.place)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"format": ' * 100_000, "", "null", "{}", "[]"])
def test_what_is_no_document_is_bad_data(tmp_path: Path, text: str) -> None:
    (tmp_path / "bundle.json").write_text(text)
    with pytest.raises(VtkError) as refused:
        Bundle.load(tmp_path)
    assert refused.value.code == ExitCode.DATA


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."),
        RuntimeError("std::bad_alloc"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
    ],
)
def test_running_out_of_memory_has_one_code_wherever_it_happens(
    error: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    assert is_out_of_memory(error)
    assert report(error) == ExitCode.OUT_OF_MEMORY
    assert "Traceback" not in capsys.readouterr().err


def test_another_error_is_not_about_memory() -> None:
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_out_of_memory(ValueError("out of memory"))


@pytest.mark.parametrize("thresholds", [None, [0.5], [0.5, "x"], [0.5] * 3])
def test_thresholds_that_fit_no_labels_are_bad_data(thresholds: Any) -> None:
    assert label_meta(META | {"thresholds": [0.5, 0.4]}).thresholds == [0.5, 0.4]
    with pytest.raises(VtkError, match="makes no sense") as refused:
        label_meta(META | {"thresholds": thresholds})
    assert refused.value.code == ExitCode.DATA


@pytest.mark.parametrize("depth", [300, 700, 980])
def test_facts_that_are_nested_deeply_show_no_traceback(sound: Path, tmp_path: Path, depth: int) -> None:
    changed(sound, tmp_path)
    text = (tmp_path / "bundle.json").read_text()
    (tmp_path / "bundle.json").write_text(text.replace('"counts": [1, 1]', f'"counts": {"[" * depth}{"]" * depth}'))
    with pytest.raises(VtkError) as refused:
        Bundle.load(tmp_path)
    assert refused.value.code == ExitCode.DATA
