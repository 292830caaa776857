"""What the training loop costs a step beyond a bare PyTorch loop that does the same work.

    python tests/benchmarks/loop_overhead.py

A tiny model makes the step itself about 80 µs, so the loop's own cost shows. Both sides draw ready batches in memory,
compute the loss, step a fused Adam, look whether the loss is finite, and end with the epoch's mean loss.
"""

from __future__ import annotations

import io
import math
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "helpers")]

import torch  # noqa: E402
from harness import compare, save, table  # noqa: E402
from ready_task import ReadyBatches  # noqa: E402
from rich.console import Console  # noqa: E402

from toolkit.hooks.catalogue import Catalogue, Plugin  # noqa: E402
from toolkit.recipe.load import load_text  # noqa: E402
from toolkit.run.loop import fit  # noqa: E402
from toolkit.run.setup import prepare  # noqa: E402

STEPS = 2000
RECIPE = """
task: ready
train: {epochs: 1, batch_size: 32, best: last, precision: fp32, channels_last: false, device: cpu}
optimizer: {name: adam, lr: 1e-3}
loader: {shuffle: false}
extensions: {checkpoints: false, metrics: %(others)s, tensorboard: %(others)s, progress: %(others)s}
"""


def catalogue() -> Catalogue:
    """The installed plugins and the benchmark's own task."""
    ready = Plugin("ready", "task", "ready_task:plugin", "benchmarks", "0", "ready batches")
    return Catalogue([*Catalogue().plugins, ready])


def bare(model: torch.nn.Module, data: ReadyBatches) -> float:
    """Seconds a step of the plain loop."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    loss_function = torch.nn.functional.cross_entropy
    model.train()
    total, start = 0.0, time.perf_counter()
    for batch in data.ready:
        optimizer.zero_grad(set_to_none=True)
        loss = loss_function(model(batch[0]), batch[1])
        loss.backward()
        value = loss.item()
        if not math.isfinite(value):
            raise ValueError(value)
        optimizer.step()
        total += value * len(batch[0])
    return (time.perf_counter() - start) / len(data.ready)


def ours(others: bool) -> float:
    """Seconds a step of the toolkit's loop, with or without its default extensions."""
    with tempfile.TemporaryDirectory() as folder:
        resolved = load_text(RECIPE % {"others": str(others).lower()}, name="bench", catalogue=catalogue())
        run = prepare(resolved, console=Console(file=io.StringIO()), directory=Path(folder))
        start = time.perf_counter()
        call: Any = run.hook.vtk_fit if others else fit
        call(run=run)
        return (time.perf_counter() - start) / STEPS


def main() -> None:
    """Measure, print and commit-ready: ``tests/benchmarks/results/loop_overhead.md``."""
    torch.manual_seed(0)
    data = ReadyBatches(STEPS)
    found = compare(
        {
            "bare loop": lambda: bare(data.model(), data),
            "vtk": lambda: ours(False),
            "vtk with metrics.jsonl, TensorBoard and progress": lambda: ours(True),
        }
    )
    base = found["bare loop"]
    rows = [[name, f"{1e6 * s:.1f}", f"{1e6 * (s - base):+.1f}"] for name, s in found.items()]
    save("loop_overhead", table("The loop's own cost", ["loop", "µs a step", "beyond the bare loop"], rows))


if __name__ == "__main__":
    main()
