"""The articles' systems run as written: the shipped recipes on small data in the true formats, cut to one epoch."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from toolkit import Bundle
from toolkit.recipe.load import load_recipe
from toolkit.run.runner import Outcome, execute
from vtk_classification.predict import predict

SHORT = [
    "train.epochs=1",
    "train.precision=fp32",
    "extensions={checkpoints: false, early_stopping: false, metrics: false, progress: false, tensorboard: false}",
]
# The articles' networks with two or ten classes, counted in tests/models/test_cnn.py; ResNet-18 has 11,689,512 with
# 1,000 classes, of which 513,000 are the head.
RESNET18 = 11_689_512 - 513 * 1000 + 513 * 2


def run(name: str, root: Path, out: Path, console: Console, *sets: str) -> Outcome:
    resolved = load_recipe(name, sets=[*SHORT, f"data.source.root={root}", *sets])
    return execute(resolved, console=console, out=out)


def parameters(directory: Path) -> int:
    return sum(p.numel() for p in Bundle.load(directory).model().parameters())


@pytest.fixture
def mnist(tmp_path: Path) -> Path:
    """MNIST's own files: big-endian sizes, then bytes."""
    raw = tmp_path / "mnist" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for part, count in (("train", 130), ("t10k", 20)):
        labels = (np.arange(count) % 10).astype(np.uint8)
        pixels = rng.integers(0, 60, (count, 28, 28), dtype=np.uint8) + labels[:, None, None] * 19
        for kind, array in (("images-idx3", pixels), ("labels-idx1", labels)):
            sizes = b"".join(n.to_bytes(4, "big") for n in array.shape)
            (raw / f"{part}-{kind}-ubyte").write_bytes(bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes())
    return tmp_path / "mnist"


@pytest.fixture
def cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """CIFAR-10's own files; torchvision compares them with the checksums of these, not of the real ones."""
    from torchvision.datasets import CIFAR10

    folder = tmp_path / "cifar" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)

    def write(name: str, content: Any) -> list[str]:
        packed = pickle.dumps(content)
        (folder / name).write_bytes(packed)
        return [name, hashlib.md5(packed, usedforsecurity=False).hexdigest()]

    def batch(name: str) -> list[str]:
        return write(name, {"data": rng.integers(0, 256, (20, 3072), dtype=np.uint8), "labels": list(range(10)) * 2})

    monkeypatch.setattr(CIFAR10, "train_list", [batch(f"data_batch_{i}") for i in range(1, 6)])
    monkeypatch.setattr(CIFAR10, "test_list", [batch("test_batch")])
    name, digest = write("batches.meta", {"label_names": [f"class {i}" for i in range(10)]})
    monkeypatch.setattr(CIFAR10, "meta", {"filename": name, "key": "label_names", "md5": digest})
    return tmp_path / "cifar"


@pytest.fixture
def imagenet_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """A file where torch keeps ResNet-18's weights, in their form."""
    import torchvision

    torch.manual_seed(3)
    state: dict[str, torch.Tensor] = torchvision.models.resnet18().state_dict()
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    torch.save(state, tmp_path / "hub" / "checkpoints" / "resnet18-f37072fd.pth")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return state


def test_mnist(mnist: Path, tmp_path: Path, console: Console) -> None:
    outcome = run("mnist", mnist, tmp_path / "run", console)
    assert (outcome.split, outcome.steps) == ("test", 3)
    assert parameters(tmp_path / "run") == 206_922


def test_a_file_of_any_size_is_predicted_by_the_mnist_network(mnist: Path, tmp_path: Path, console: Console) -> None:
    import cv2

    run("mnist", mnist, tmp_path / "run", console)
    cv2.imwrite(str(tmp_path / "digit.png"), np.full((90, 70, 3), 90, np.uint8))
    (record,) = predict(Bundle.load(tmp_path / "run"), [tmp_path / "digit.png"])
    assert record["class"] in "0123456789"


@pytest.mark.parametrize(("name", "steps", "count"), [("cifar10", 2, 1_059_306), ("cifar10-lenet", 25, 62_006)])
def test_cifar10(cifar: Path, tmp_path: Path, console: Console, name: str, steps: int, count: int) -> None:
    outcome = run(name, cifar, tmp_path / "run", console)
    assert (outcome.split, outcome.steps) == ("test", steps)
    assert parameters(tmp_path / "run") == count


@pytest.mark.parametrize(("name", "count"), [("catsdogs", RESNET18), ("catsdogs-frozen", RESNET18)])
def test_cats_and_dogs_with_resnet18(
    imagenet_weights: dict[str, torch.Tensor], kaggle: Path, tmp_path: Path, console: Console, name: str, count: int
) -> None:
    outcome = run(name, kaggle, tmp_path / "run", console, "data.limit=8")
    assert (outcome.split, outcome.steps) == ("val", 1)
    assert parameters(tmp_path / "run") == count
    state = Bundle.load(tmp_path / "run").model().state_dict()
    same = {key for key in state if key in imagenet_weights and torch.equal(state[key], imagenet_weights[key])}
    body = {key for key in state if not key.startswith("fc.")}
    assert same == body if name == "catsdogs-frozen" else not same & {"conv1.weight", "bn1.running_mean"}


def test_cats_and_dogs_with_the_small_network(kaggle: Path, tmp_path: Path, console: Console) -> None:
    run("catsdogs-cnn", kaggle, tmp_path / "run", console, "data.limit=8")
    assert parameters(tmp_path / "run") == 25_715_234
