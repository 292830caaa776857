"""An epoch over small images in memory: the toolkit's data path beside the classic DataLoader, at the same model.

    python tests/benchmarks/small_images.py [--images 6000]

Both train the same two-convolution network with Adam on batches of 64, mirrored (CIFAR's shape) or not (MNIST's). The
classic has a dataset of single samples, torchvision's transforms and four worker processes; the toolkit's whole
batches come from memory, and the step runs in the precision and memory format that it chooses. The ceiling is the same
step on one batch that lies ready: no data path can be quicker. Times are for the named number of images; the full sets
are about ten times as large.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent)]

import numpy as np  # noqa: E402
import torch  # noqa: E402
from harness import compare, save, table  # noqa: E402
from torch import nn  # noqa: E402

from toolkit.data.augment.augment import AugmentStep  # noqa: E402
from toolkit.data.loading.datasets import ArrayDataset  # noqa: E402
from toolkit.data.loading.loaders import build_loader  # noqa: E402
from toolkit.data.preprocess import Preprocess  # noqa: E402
from toolkit.system.allocator import tune_allocator  # noqa: E402
from toolkit.system.precision import PrecisionPlan, auto_precision  # noqa: E402

BATCH = 64
SHAPES = {"MNIST, 28 × 28": (28, 28, 1), "CIFAR, 32 × 32 × 3": (32, 32, 3)}


def network(shape: tuple[int, int, int]) -> nn.Module:
    """Two convolutions and a hidden layer."""
    side, channels = shape[0] // 4, shape[2]
    return nn.Sequential(
        nn.Conv2d(channels, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(64 * side * side, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip


class Samples(torch.utils.data.Dataset[Any]):
    """One image at a time, as torchvision's sets give them."""

    def __init__(self, images: np.ndarray, targets: np.ndarray) -> None:
        from torchvision import transforms as t

        self.images, self.targets = images, targets
        channels = images.shape[3]
        flip = [t.RandomHorizontalFlip()] if channels == 3 else []
        self.transform = t.Compose([*flip, t.ToTensor(), t.Normalize([0.5] * channels, [0.5] * channels)])

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        from PIL import Image

        pixels = self.images[index]
        image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
        return self.transform(image), int(self.targets[index])


def train(model: nn.Module, optimizer: Any, batches: Iterable[Any], context: Callable[[], Any]) -> None:
    """One epoch."""
    for images, targets in batches:
        optimizer.zero_grad()
        with context():
            loss = nn.functional.cross_entropy(model(images), targets)
        loss.backward()
        optimizer.step()


def classic(images: np.ndarray, targets: np.ndarray, workers: int) -> Callable[[], float]:
    """Seconds an epoch of the loop that tutorials teach."""
    from contextlib import nullcontext

    model = network(images.shape[1:])
    optimizer = torch.optim.Adam(model.parameters())
    loader = torch.utils.data.DataLoader(Samples(images, targets), BATCH, shuffle=True, num_workers=workers)

    def run() -> float:
        start = time.perf_counter()
        train(model, optimizer, loader, nullcontext)
        return time.perf_counter() - start

    return run


def ours(images: np.ndarray, targets: np.ndarray, learn: bool) -> Callable[[], float]:
    """Seconds an epoch of the toolkit; without ``learn`` of its data path alone."""
    height, width, channels = images.shape[1:]
    preprocess = Preprocess(height=height, width=width, resize=None, channels=channels, mean=[0.5], std=[0.5])
    steps = [AugmentStep(name="HorizontalFlip", p=0.5)] if channels == 3 else "none"
    loader = build_loader(ArrayDataset(images, targets, preprocess, steps), batch_size=BATCH, shuffle=True)
    plan, normalize = PrecisionPlan(*auto_precision(torch.device("cpu")), "cpu"), preprocess.normalize()
    model = network(images.shape[1:]).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer, epoch = torch.optim.Adam(model.parameters(), fused=True), iter(range(10**6))

    def run() -> float:
        start = time.perf_counter()
        batches = (normalize(batch) for batch in loader.once(next(epoch)))
        if learn:
            train(model, optimizer, batches, plan.autocast)
        else:
            for _ in batches:
                pass
        return time.perf_counter() - start

    return run


def ceiling(images: np.ndarray, targets: np.ndarray) -> Callable[[], float]:
    """Seconds of an epoch's steps on one ready batch, in the toolkit's precision and memory format."""
    height, width, channels = images.shape[1:]
    plan = PrecisionPlan(*auto_precision(torch.device("cpu")), "cpu")
    model = network(images.shape[1:]).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    ready = torch.randn(BATCH, channels, height, width).contiguous(memory_format=torch.channels_last)
    batches = [(ready, torch.from_numpy(targets[:BATCH]))] * -(-len(images) // BATCH)

    def run() -> float:
        start = time.perf_counter()
        train(model, optimizer, batches, plan.autocast)
        return time.perf_counter() - start

    return run


def main() -> None:
    """Measure and write ``tests/benchmarks/results/small_images.md``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=6000)
    options = parser.parse_args()
    tune_allocator()
    rows = []
    for name, shape in SHAPES.items():
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (options.images, *shape), dtype=np.uint8)
        targets = rng.integers(0, 10, options.images)
        found = compare(
            {
                "classic, 4 workers": classic(images, targets, 4),
                "classic, no workers": classic(images, targets, 0),
                "vtk": ours(images, targets, True),
                "ceiling: the steps alone": ceiling(images, targets),
                "vtk, its data path alone": ours(images, targets, False),
            },
            repeats=3,
            tries=6,
        )
        base = found["classic, 4 workers"]
        rows += [[name, side, f"{s:.2f}", f"{base / s:.1f}", f"{s / found['vtk']:.0%}"] for side, s in found.items()]
    columns = ["images", "side", "seconds", "× the classic", "of vtk's epoch"]
    save("small_images", table(f"An epoch over {options.images:,} small images", columns, rows))


if __name__ == "__main__":
    main()
