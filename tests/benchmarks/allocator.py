"""What the allocator's settings are worth: ResNet-18 at 224 from JPEGs, with them and without, in turns.

    python tests/benchmarks/allocator.py [--rounds 3] [--steps 6]

Each round is a process of its own, for glibc's settings cannot be taken back. Peak memory is the process's resident
set at its highest, libraries, model, optimizer and batches included.
"""

from __future__ import annotations

import argparse
import io
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent)]

from harness import DISTURBED, ForeignLoad, save, table  # noqa: E402

from toolkit import hookimpl  # noqa: E402

WARM, BATCH = 2, 32
SIDES = {"on": "as vtk sets it", "off": "glibc's defaults"}


class Ticks:
    """When each step was over."""

    def __init__(self) -> None:
        self.times: list[float] = []

    @hookimpl(wrapper=True)
    def vtk_step(self) -> Generator[None, Any, Any]:
        """Note the time."""
        result = yield
        self.times.append(time.perf_counter())
        return result


def one_round(side: str, steps: int) -> tuple[float, float]:
    """Images a second after the warm-up, and the process's peak in MiB."""
    from resnet18 import RECIPE
    from rich.console import Console

    from toolkit.recipe.load import load_text
    from toolkit.run.loop import fit
    from toolkit.run.setup import prepare
    from toolkit.system.allocator import tune_allocator

    if side == "on" and not tune_allocator():
        raise SystemExit("the allocator cannot be set here")
    text = RECIPE % {"images": 160, "steps": WARM + steps, "device": "cpu"}
    with tempfile.TemporaryDirectory() as folder:
        run = prepare(load_text(text), console=Console(file=io.StringIO()), directory=Path(folder))
        ticks = Ticks()
        run.plugins.register(ticks)
        run.data.val = None
        fit(run)
    rate = BATCH * steps / (ticks.times[-1] - ticks.times[WARM - 1])
    return rate, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure and write ``tests/benchmarks/results/allocator.md``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--side", choices=list(SIDES))
    options = parser.parse_args()
    if options.side:
        print(*one_round(options.side, options.steps))
        return
    found: dict[str, list[tuple[float, float]]] = {side: [] for side in SIDES}
    for number in range(options.rounds):
        for side, results in found.items():
            watch = ForeignLoad()
            words = [sys.executable, __file__, "--side", side, "--steps", str(options.steps)]
            done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
            rate, peak = map(float, done.stdout.split())
            if watch.share() >= DISTURBED:
                print(f"note: round {number + 1}, {side}: disturbed by {watch.share():.2f} cores of other load")
            results.append((rate, peak))
    rates = {side: statistics.median(rate for rate, _ in results) for side, results in found.items()}
    rows = [
        [SIDES[side], f"{rates[side]:.2f}", f"{rates[side] / rates['off']:.2f}", f"{max(p for _, p in results):,.0f}"]
        for side, results in found.items()
    ]
    columns = ["allocator", "images/s", "× the defaults", "peak memory, MiB"]
    save("allocator", table("The allocator's settings, ResNet-18 at 224, batch 32", columns, rows))


if __name__ == "__main__":
    main()
