"""Training ResNet-18 at 224 from JPEGs: the toolkit beside a bare loop on ready tensors and the classic loop.

    python tests/benchmarks/resnet18.py [--device cpu] [--pairs 10] [--block 1]

The bare loop computes on one batch that lies ready, in the toolkit's precision and memory format: the ceiling. Its
steps are run between those of the toolkit, so that both meet the same machine; the figure is the median over the pairs.
The classic loop is what tutorials teach: PIL, torchvision's first transforms, a DataLoader with two processes, float32.
It runs in a process of its own, and so does a toolkit whose OpenMP threads spin as they do by default; ``vtk`` sets
``GOMP_SPINCOUNT`` before it loads torch, and so does this script.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent)]

from toolkit.system.allocator import tune_allocator, tune_environment  # noqa: E402

UNTUNED = "--untuned" in sys.argv
if not UNTUNED:
    tune_environment()

import torch  # noqa: E402
from harness import save, table  # noqa: E402
from rich.console import Console  # noqa: E402
from torchvision.models import resnet18  # noqa: E402

from toolkit import hookimpl  # noqa: E402
from toolkit.recipe.load import load_text  # noqa: E402
from toolkit.run.loop import fit  # noqa: E402
from toolkit.run.setup import prepare  # noqa: E402
from toolkit.system.precision import PrecisionPlan, auto_precision  # noqa: E402

BATCH, WARM = 32, 2
RECIPE = """
extends: catsdogs
name: bench
data: {source: {name: drawn, kind: creatures, count: %(images)d}, split: {val: 0.02}}
model: {pretrained: false}
train: {epochs: null, steps: %(steps)d, batch_size: 32, best: last, device: %(device)s}
extensions: {checkpoints: false, metrics: false, tensorboard: false, progress: false}
"""
Pair = tuple[float, float]


def settle(device: str) -> None:
    """Wait for the device."""
    if device != "cpu":
        torch.cuda.synchronize()


def step(model: Any, optimizer: Any, images: Any, labels: Any, context: Any) -> None:
    """One plain training step."""
    optimizer.zero_grad()
    with context:
        loss = torch.nn.functional.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()


class Bare:
    """The plain loop on one ready batch, in the toolkit's precision and memory format."""

    def __init__(self, device: str) -> None:
        self.device, self.plan = device, PrecisionPlan(*auto_precision(torch.device(device)), device)
        self.model = resnet18(num_classes=2).to(device, memory_format=torch.channels_last)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3, weight_decay=1e-4, fused=True)
        self.images = torch.randn(BATCH, 3, 224, 224, device=device).contiguous(memory_format=torch.channels_last)
        self.labels = torch.randint(0, 2, (BATCH,), device=device)

    def block(self, steps: int) -> float:
        """Seconds of so many steps."""
        start = time.perf_counter()
        for _ in range(steps):
            step(self.model, self.optimizer, self.images, self.labels, self.plan.autocast())
        settle(self.device)
        return time.perf_counter() - start


class Pairs:
    """Times blocks of the toolkit's steps, and one of the bare loop after each."""

    def __init__(self, device: str, block: int) -> None:
        self.bare, self.size, self.done = Bare(device), block, 0
        self.seconds: list[Pair] = []
        self.start = time.perf_counter()

    @hookimpl(wrapper=True)
    def vtk_step(self) -> Generator[None, Any, Any]:
        result = yield
        self.done += 1
        if self.done % self.size == 0:
            settle(self.bare.device)
            ours = time.perf_counter() - self.start
            self.seconds.append((self.bare.block(self.size), ours))
            self.start = time.perf_counter()
        return result


def pairs(options: argparse.Namespace) -> list[Pair]:
    """Images a second, (bare, toolkit), of each pair after the warm-up."""
    steps = options.block * (WARM + options.pairs)
    text = RECIPE % {"images": options.images, "steps": steps, "device": options.device}
    with tempfile.TemporaryDirectory() as folder:
        run = prepare(load_text(text), console=Console(file=io.StringIO()), directory=Path(folder))
        timed = Pairs(options.device, options.block)
        run.plugins.register(timed)
        run.data.val = None
        fit(run)
    images = BATCH * options.block
    return [(images / bare, images / ours) for bare, ours in timed.seconds[WARM:]]


class Photographs(torch.utils.data.Dataset[Any]):
    """The classic dataset: PIL and a transform for each sample."""

    def __init__(self, folder: Path) -> None:
        from torchvision import transforms as t

        self.files = sorted(folder.glob("*.jpg"))
        self.transform = t.Compose([
            t.RandomResizedCrop(224), t.RandomHorizontalFlip(), t.RandomRotation(10),
            t.ColorJitter(0.2, 0.2, 0.2, 0.1), t.ToTensor(),
            t.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ])  # fmt: skip

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        from PIL import Image

        file = self.files[index]
        return self.transform(Image.open(file).convert("RGB")), int(file.name.startswith("dog"))


def classic(options: argparse.Namespace) -> float:
    """Images a second of the loop that tutorials teach."""
    model = resnet18(num_classes=2).to(options.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-4)
    loader = torch.utils.data.DataLoader(
        Photographs(drawings(options)), BATCH, shuffle=True, num_workers=2, drop_last=True, persistent_workers=True
    )
    times: list[float] = []
    while len(times) < options.block * (WARM + options.pairs):
        for images, labels in loader:
            step(model, optimizer, images.to(options.device), labels.to(options.device), nullcontext())
            settle(options.device)
            times.append(time.perf_counter())
    return BATCH * (len(times) - WARM) / (times[-1] - times[WARM - 1])


def drawings(options: argparse.Namespace) -> Path:
    """The folder of the drawn JPEGs that all sides read."""
    text = RECIPE % {"images": options.images, "steps": 1, "device": options.device}
    run = prepare(load_text(text), console=Console(file=io.StringIO()))
    return Path(run.data.train.paths[0]).parent


def elsewhere(options: argparse.Namespace, case: str) -> list[float]:
    """The numbers that a process of its own prints, untuned."""
    words = ["--case", case, "--untuned", "--device", options.device, "--images", str(options.images)]
    words += ["--pairs", str(max(options.pairs // 3, 2)), "--block", str(options.block)]
    env = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}
    done = subprocess.run([sys.executable, __file__, *words], env=env, stdout=subprocess.PIPE, text=True, check=True)
    return [float(word) for word in done.stdout.split()]


def main() -> None:
    """Measure and write ``tests/benchmarks/results/resnet18-DEVICE.md``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--images", type=int, default=320)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--block", type=int, default=1, help="steps of each side in a pair")
    parser.add_argument("--case", choices=["pairs", "classic"], help="print the numbers of one case")
    parser.add_argument("--untuned", action="store_true", help="without vtk's settings of the process")
    options = parser.parse_args()
    if not UNTUNED:
        tune_allocator()
    if options.case:
        found = [classic(options)] if options.case == "classic" else [rate for pair in pairs(options) for rate in pair]
        print(*found)
        return
    tuned = pairs(options)
    spinning = elsewhere(options, "pairs")
    base = elsewhere(options, "classic")[0]
    rows = [["classic loop", f"{base:.2f}", "1.00", f"{base / statistics.median(b for b, _ in tuned):.3f}", ""]]
    rows.append(["bare loop on ready tensors", *_row([b for b, _ in tuned], base), "1.000", ""])
    for name, found in (
        ("vtk from JPEGs", tuned),
        ("the same without vtk's settings of the process", list(zip(spinning[::2], spinning[1::2], strict=True))),
    ):
        shares = sorted(ours / bare for bare, ours in found)
        spread = f"{shares[0]:.2f} to {shares[-1]:.2f}, {len(shares)} pairs"
        rows.append([name, *_row([ours for _, ours in found], base), f"{statistics.median(shares):.3f}", spread])
    name, _ = auto_precision(torch.device(options.device))
    columns = [f"{name}, batch {BATCH}", "images/s", "of the classic", "of the bare loop beside it", ""]
    save(f"resnet18-{options.device}", table("ResNet-18 at 224, training", columns, rows))


def _row(rates: list[float], base: float) -> list[str]:
    middle = statistics.median(rates)
    return [f"{middle:.2f}", f"{middle / base:.2f}"]


if __name__ == "__main__":
    main()
