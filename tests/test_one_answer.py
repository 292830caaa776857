"""A model that was trained in bf16 answers the same wherever it is asked: run, eval, predict, and plain PyTorch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.metrics import f1_score, log_loss

from toolkit.cli import main
from toolkit.inference.bundle import Bundle

pytestmark = pytest.mark.formats

SIDE = 16
SHAPE = "split: {val: 0.25}, image_size: 16, resize: 16, augment: none"
REST = """
model: {name: cnn, channels: [4], hidden: [8]}
train: {epochs: 2, batch_size: 8, eval_batch_size: 7, precision: bf16}
optimizer: {lr: 0.003}
extensions: {tensorboard: false, early_stopping: false, checkpoints: false}
"""


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise that nothing tells apart, so that many answers lie near the edge: 40 to learn from, 400 held out."""
    root, rng = tmp_path_factory.mktemp("noise"), np.random.default_rng(0)
    rows = ["path,split,a,b"]
    for part, count in (("train", 20), ("val", 200)):
        for label in "ab":
            (root / part / label).mkdir(parents=True)
            for number in range(count):
                name = f"{part}/{label}/{number}.png"
                cv2.imwrite(str(root / name), rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8))
                rows.append(f"{name},{part},{int(label == 'a')},{number % 2}")
    (root / "labels.csv").write_text("\n".join(rows))
    return root


@pytest.fixture(scope="module", params=["fp32", "bf16"])
def answers(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def trained(root: Path, folder: Path, text: str, answers: str) -> Path:
    (folder / "recipe.yaml").write_text(f"{text}inference: {{precision: {answers}}}\n")
    assert main(["run", str(folder / "recipe.yaml"), "--out", str(folder / "run"), "--quiet"]) == 0
    return folder / "run"


@pytest.fixture(scope="module")
def classifier(noise: Path, answers: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    text = f"task: classification\ndata: {{source: {{name: folder, root: {noise}}}, {SHAPE}}}\n{REST}"
    return trained(noise, tmp_path_factory.mktemp("classes"), text, answers)


@pytest.fixture(scope="module")
def labeller(noise: Path, answers: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = f"{{name: csv, file: {noise / 'labels.csv'}, split_column: split, labels: {{name: columns}}}}"
    text = f"task: multilabel\ndata: {{source: {source}, {SHAPE}}}\nthresholds: tuned\n{REST}"
    return trained(noise, tmp_path_factory.mktemp("labels"), text, answers)


def said(capsys: pytest.CaptureFixture[str], *command: str) -> Any:
    capsys.readouterr()
    assert main([*command, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def last_epoch(run: Path) -> dict[str, float]:
    """The validation figures of the kept epoch, as training logged them."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    found = [{k: v for k, v in row.items() if k.startswith("val/")} for row in rows if "val/accuracy" in row]
    return max(found, key=lambda row: row["val/accuracy"])


def test_the_figures_of_a_run_are_those_of_its_answers(
    classifier: Path, noise: Path, answers: str, capsys: pytest.CaptureFixture[str]
) -> None:
    files = sorted((noise / "val").rglob("*.png"))
    rows = said(capsys, "predict", str(classifier), str(noise / "val"))["predictions"]
    truth = [Path(row["file"]).parent.name for row in rows]
    accuracy = np.mean([row["class"] == label for row, label in zip(rows, truth, strict=True)])
    chances = [next(t["confidence"] for t in row["top"] if t["class"] == "b") for row in rows]
    evaluated = said(capsys, "eval", str(classifier))["metrics"]
    at_the_end = json.loads((classifier / "status.json").read_text())["metrics"]
    assert len(rows) == len(files) == 400
    assert evaluated == pytest.approx(at_the_end, rel=1e-6)
    assert evaluated["accuracy"] == pytest.approx(last_epoch(classifier)["val/accuracy"], abs=1e-9)
    few = 0 if answers == "fp32" else 4  # in bf16 a batch of another size rounds some otherwise
    assert abs(accuracy - evaluated["accuracy"]) * 400 <= few + 0.01  # the metric is float32
    loss = log_loss([label == "b" for label in truth], chances)
    assert loss == pytest.approx(evaluated["loss"], abs=1e-5 if answers == "fp32" else 0.03)


def test_thresholds_are_tuned_on_what_is_answered(
    labeller: Path, noise: Path, answers: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = said(capsys, "predict", str(labeller), str(noise / "val"))["predictions"]
    present = np.array([[Path(r["file"]).parent.name == "a", int(Path(r["file"]).stem) % 2] for r in rows])
    given = np.array([["a" in row["labels"], "b" in row["labels"]] for row in rows])
    metrics = said(capsys, "eval", str(labeller))["metrics"]
    tolerance = 1e-6 if answers == "fp32" else 0.02
    assert f1_score(present, given, average="macro") == pytest.approx(metrics["macro_f1"], abs=tolerance)


def test_the_network_without_the_toolkits_loop_says_the_same(classifier: Path, answers: str) -> None:
    state = load_file(classifier / "bundle" / "model.safetensors")
    bundle = Bundle.load(classifier, device="cpu")
    images = torch.randn(33, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        plain = bundle.model()(images)
        answered = bundle.network(images)
        alone = torch.cat([bundle.network(image[None]) for image in images])
    assert {value.dtype for value in state.values()} == {torch.float32}
    assert answered.dtype == torch.float32
    tolerance = {"fp32": 1e-5, "bf16": 0.03}[answers]
    for other in (plain, alone):
        assert ((answered - other).abs() / other.abs().clamp(min=1)).max() <= tolerance
    assert torch.equal(answered, plain) == (answers == "fp32")


def test_eval_says_which_format_answers(classifier: Path, answers: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", str(classifier)]) == 0
    assert f"cpu · answers in {answers}" in capsys.readouterr().err


def test_a_bundle_of_before_the_key_answers_in_fp32(classifier: Path, tmp_path: Path) -> None:
    import hashlib
    import shutil

    old = tmp_path / "bundle"
    shutil.copytree(classifier / "bundle", old)
    facts = json.loads((old / "bundle.json").read_text())
    del facts["recipe"]["inference"]["precision"], facts["facts_sha256"]
    facts["facts_sha256"] = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    (old / "bundle.json").write_text(json.dumps(facts))
    bundle = Bundle.load(old, device="cpu")
    assert bundle.recipe.inference.precision == "fp32"
    images = torch.randn(3, 3, SIDE, SIDE)
    with torch.inference_mode():
        assert torch.equal(bundle.network(images), bundle.model()(images))
