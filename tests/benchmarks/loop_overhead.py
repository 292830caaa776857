"""What the training loop costs a step beyond a bare PyTorch loop that does the same work.

    python tests/benchmarks/loop_overhead.py

A tiny model on one thread makes the step itself short, so the loop's own cost shows. Both sides go through the same
ready batches in memory, compute the loss, look whether it is finite before they step a fused Adam, and end each epoch
with its mean loss. The toolkit draws its batches through its loader and keeps a record of each step for whoever logs.

The bare loop's epochs are run between those of the toolkit, in the hook ``vtk_epoch_end``; everything else that the
toolkit does in an epoch counts as its own. It clears gradients without torch's profiler record, which wins back some
of what it spends; the bare loop calls ``zero_grad`` as everybody does. The figure is the median over the pairs of
neighbouring epochs; pairs during which something else used the machine are left out.
"""

from __future__ import annotations

import io
import math
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "helpers")]

import torch  # noqa: E402
from harness import DISTURBED, ForeignLoad, save, table  # noqa: E402
from ready_task import ReadyBatches, ReadyTask  # noqa: E402
from rich.console import Console  # noqa: E402

from toolkit import hookimpl  # noqa: E402
from toolkit.hooks.catalogue import Catalogue, Plugin  # noqa: E402
from toolkit.recipe.load import load_text  # noqa: E402
from toolkit.run.setup import prepare  # noqa: E402

STEPS, EPOCHS, WARM = 500, 80, 3
ReadyTask.data = ReadyBatches(STEPS)
RECIPE = """
task: ready
train: {epochs: %(epochs)d, batch_size: 32, best: last, precision: fp32, channels_last: false, device: cpu}
optimizer: {name: adam, lr: 1e-3}
loader: {shuffle: false}
extensions: {checkpoints: false, metrics: %(others)s, tensorboard: %(others)s, progress: %(others)s}
"""


class Bare:
    """The plain loop."""

    def __init__(self) -> None:
        self.model = ReadyTask.data.model().train()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3, fused=True)

    def epoch(self) -> float:
        """The mean loss of one epoch."""
        model, optimizer, loss_function = self.model, self.optimizer, torch.nn.functional.cross_entropy
        total = samples = 0.0
        for batch in ReadyTask.data.ready:
            optimizer.zero_grad(set_to_none=True)
            loss = loss_function(model(batch[0]), batch[1])
            loss.backward()
            value = loss.item()
            if not math.isfinite(value):
                raise ValueError(value)
            optimizer.step()
            total += value * len(batch[0])
            samples += len(batch[0])
        return total / samples


class Pairs:
    """Times each epoch of the toolkit, and one of the bare loop after it."""

    def __init__(self) -> None:
        self.bare = Bare()
        self.all: list[tuple[float, float]] = []
        self.quiet: list[tuple[float, float]] = []
        self.begin()

    def begin(self) -> None:
        """An epoch of the toolkit begins."""
        self.load, self.start = ForeignLoad(), time.perf_counter()

    @hookimpl
    def vtk_epoch_end(self) -> None:
        ours = time.perf_counter() - self.start
        start = time.perf_counter()
        self.bare.epoch()
        pair = (time.perf_counter() - start, ours)
        self.all.append(pair)
        if self.load.share() < DISTURBED:
            self.quiet.append(pair)
        self.begin()


def measure(others: bool) -> list[tuple[float, float]]:
    """Microseconds a step, (bare, toolkit), of each pair that counts."""
    ready = Plugin("ready", "task", "ready_task:plugin", "benchmarks", "0", "ready batches")
    text = RECIPE % {"others": str(others).lower(), "epochs": EPOCHS + WARM}
    with tempfile.TemporaryDirectory() as folder:
        resolved = load_text(text, name="bench", catalogue=Catalogue([*Catalogue().plugins, ready]))
        run = prepare(resolved, console=Console(file=io.StringIO()), directory=Path(folder))
        pairs = Pairs()
        run.plugins.register(pairs)
        call: Any = run.hook.vtk_fit
        call(run=run)
    counted = [pair for pair in pairs.quiet if pair not in pairs.all[:WARM]]
    print(f"{len(counted)} of {EPOCHS} pairs were undisturbed")
    if len(counted) < EPOCHS // 3:
        print("note: too few, so all count")
        counted = pairs.all[WARM:]
    return [(1e6 * bare / STEPS, 1e6 * ours / STEPS) for bare, ours in counted]


def main() -> None:
    """Measure, print and write ``tests/benchmarks/results/loop_overhead.md``."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows = []
    for name, others in (("vtk", False), ("vtk with metrics.jsonl, TensorBoard and progress", True)):
        pairs = measure(others)
        extra = [ours - bare for bare, ours in pairs]
        low, middle, high = statistics.quantiles(extra, n=4)
        bare = statistics.median(bare for bare, _ in pairs)
        rows.append([name, str(len(pairs)), f"{bare:.0f}", f"{middle:+.1f}", f"{low:+.1f} to {high:+.1f}"])
    columns = ["loop", "pairs", "bare loop, µs a step", "beyond it, µs a step", "half of the pairs"]
    save("loop_overhead", table("The loop's own cost, one thread", columns, rows))


if __name__ == "__main__":
    main()
