"""Training ResNet-18 at 224 from JPEGs: the toolkit beside a bare loop on ready tensors and the classic loop.

    python tests/benchmarks/resnet18.py [--device cpu] [--images 320]

The bare loop computes on one batch that lies ready, in the toolkit's precision and memory format: the ceiling. The
classic loop is what tutorials teach: PIL, torchvision's first transforms, a DataLoader with two processes, float32.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent)]

import torch  # noqa: E402
from harness import compare, save, table  # noqa: E402
from rich.console import Console  # noqa: E402
from torchvision.models import resnet18  # noqa: E402

from toolkit import hookimpl  # noqa: E402
from toolkit.recipe.load import load_text  # noqa: E402
from toolkit.run.loop import fit  # noqa: E402
from toolkit.run.machine import tune_allocator  # noqa: E402
from toolkit.run.precision import plan_precision  # noqa: E402
from toolkit.run.setup import prepare  # noqa: E402

BATCH, WARM, STEPS = 32, 2, 8
RECIPE = """
extends: catsdogs
name: bench
data: {source: {name: drawn, kind: creatures, count: %(images)d}, split: {val: 0.02}}
model: {pretrained: false}
train: {epochs: null, steps: %(steps)d, batch_size: 32, best: last, device: %(device)s}
extensions: {checkpoints: false, metrics: false, tensorboard: false, progress: false}
"""


class Clock:
    """Remembers when each step was done."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.times: list[float] = []

    @hookimpl(wrapper=True)
    def vtk_step(self) -> Generator[None, Any, Any]:
        result = yield
        if self.device != "cpu":
            torch.cuda.synchronize()
        self.times.append(time.perf_counter())
        return result

    def rate(self) -> float:
        """Images a second after the warm-up."""
        return BATCH * (len(self.times) - WARM) / (self.times[-1] - self.times[WARM - 1])


def ours(options: argparse.Namespace) -> float:
    """Images a second of the toolkit, from files."""
    text = RECIPE % {"images": options.images, "steps": WARM + STEPS * options.times, "device": options.device}
    with tempfile.TemporaryDirectory() as folder:
        run = prepare(load_text(text), console=Console(file=io.StringIO()), directory=Path(folder))
        clock = Clock(options.device)
        run.local["manager"].register(clock)
        run.data.val = None
        fit(run)
    return clock.rate()


def step(model: Any, optimizer: Any, images: Any, labels: Any, context: Any) -> None:
    """One plain training step."""
    optimizer.zero_grad()
    with context:
        loss = torch.nn.functional.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()


def bare(options: argparse.Namespace) -> float:
    """Images a second on one ready batch, in the toolkit's precision and memory format."""
    plan = plan_precision("auto", torch.device(options.device))
    model = resnet18(num_classes=2).to(options.device, memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-4, fused=True)
    images = torch.randn(BATCH, 3, 224, 224, device=options.device).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(0, 2, (BATCH,), device=options.device)
    clock = Clock(options.device)
    for _ in range(WARM + STEPS * options.times):
        step(model, optimizer, images, labels, plan.autocast())
        if options.device != "cpu":
            torch.cuda.synchronize()
        clock.times.append(time.perf_counter())
    return clock.rate()


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


def classic(options: argparse.Namespace, folder: Path) -> float:
    """Images a second of the loop that tutorials teach."""
    model = resnet18(num_classes=2).to(options.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-4)
    clock, done = Clock(options.device), 0
    loader = torch.utils.data.DataLoader(
        Photographs(folder), BATCH, shuffle=True, num_workers=2, drop_last=True, persistent_workers=True
    )
    from contextlib import nullcontext

    while True:
        for images, labels in loader:
            step(model, optimizer, images.to(options.device), labels.to(options.device), nullcontext())
            if options.device != "cpu":
                torch.cuda.synchronize()
            clock.times.append(time.perf_counter())
            done += 1
            if done == WARM + STEPS * options.times:
                return clock.rate()


def drawings(options: argparse.Namespace) -> Path:
    """The folder of the drawn JPEGs that all sides read."""
    text = RECIPE % {"images": options.images, "steps": 1, "device": options.device}
    run = prepare(load_text(text), console=Console(file=io.StringIO()))
    return Path(run.data.train.paths[0]).parent


def main() -> None:
    """Measure and write ``tests/benchmarks/results/resnet18-DEVICE.md``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--images", type=int, default=320)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--times", type=int, default=1, help="multiplies the number of steps")
    options = parser.parse_args()
    folder = drawings(options)
    # The classic goes first and untuned: what the toolkit sets in the process must not help it.
    base = compare({"classic": lambda: classic(options, folder)}, options.repeats)
    tune_allocator()
    found = base | compare(
        {"bare loop on ready tensors": lambda: bare(options), "vtk from JPEGs": lambda: ours(options)}, options.repeats
    )
    ceiling, plan = found["bare loop on ready tensors"], plan_precision("auto", torch.device(options.device))
    rows = [[n, f"{r:.1f}", f"{r / found['classic']:.2f}", f"{r / ceiling:.3f}"] for n, r in found.items()]
    columns = [f"{plan.name}, batch {BATCH}", "images/s", "of the classic", "of the bare loop"]
    save(f"resnet18-{options.device}", table("ResNet-18 at 224, training", columns, rows))


if __name__ == "__main__":
    main()
