"""Time to the loss that the plain way has after 300 evaluations. Both losses are computed in float32 by the plain code.

python tests/benchmarks/style_quality.py [--size 512] [--device cpu] [--evaluations 300] [--precision auto]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent)]

import torch  # noqa: E402
from harness import ForeignLoad, save, table  # noqa: E402
from rich.console import Console  # noqa: E402
from style_plain import PlainStyle, pair, recipe, start  # noqa: E402

from toolkit import hookimpl  # noqa: E402
from toolkit.run.setup import prepare  # noqa: E402
from toolkit.system.allocator import tune_allocator  # noqa: E402


class Watcher:
    """Stops the run once its image is as good as wanted; looking does not count as time."""

    def __init__(self, plain: PlainStyle, target: float) -> None:
        self.plain, self.target = plain, target
        self.looking, self.loss, self.reached_at = 0.0, float("inf"), None
        self.begun = time.perf_counter()

    @hookimpl(wrapper=True)
    def vtk_step(self, run: Any) -> Generator[None, Any, Any]:
        result = yield
        if run.stage.index == len(run.stages) - 1 and self.reached_at is None:
            now = time.perf_counter()
            with torch.no_grad():
                self.loss = self.plain.loss(run.model.picture).item()
            if self.loss <= self.target:
                self.reached_at = now - self.begun - self.looking
                self.steps = run.step
                run.stop("as good as the plain way")
            self.looking += time.perf_counter() - now
        return result


def plain_way(plain: PlainStyle, content: torch.Tensor, evaluations: int) -> tuple[float, float]:
    """Seconds that the evaluations took, and the loss of the last."""
    image, losses = content.clone().requires_grad_(), list[float]()
    optimizer = torch.optim.LBFGS([image])
    closure = plain.closure(image, losses)
    begun, at = time.perf_counter(), 0.0
    while len(losses) < evaluations:
        optimizer.step(closure)  # type: ignore[arg-type, unused-ignore]
        at = (time.perf_counter() - begun) * min(1.0, evaluations / len(losses))
    return at, losses[evaluations - 1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--evaluations", type=int, default=300)
    parser.add_argument("--precision", default="auto")
    given = parser.parse_args()
    tune_allocator()
    sections = {"train": {"device": given.device, "precision": given.precision}}
    run, _, inputs = start(given.size, **sections)
    content, style = pair(inputs, given.size, run.device)
    plain = PlainStyle(content, style)
    watch = ForeignLoad()
    plain_seconds, target = plain_way(plain, content, given.evaluations)
    with tempfile.TemporaryDirectory() as folder:
        watcher = Watcher(plain, target)
        ready = prepare(recipe(given.size, **sections), console=Console(quiet=True), directory=Path(folder))
        ready.plugins.register(watcher)
        ready.hook.vtk_fit(run=ready)
    if watcher.reached_at is None:
        sys.exit(f"not reached: {watcher.loss:.4g} after the whole run, {target:.4g} wanted")
    rows = [
        ["plain way", f"{given.evaluations}", f"{plain_seconds:,.1f}", f"{target:.4g}", "1"],
        [
            f"plugin, {ready.precision.name}, all stages and loading",
            f"{watcher.steps}",
            f"{watcher.reached_at:,.1f}",
            f"{watcher.loss:.4g}",
            f"{watcher.reached_at / plain_seconds:.3f}",
        ],
    ]
    shape = "×".join(map(str, content.shape[:1:-1]))
    title = f"Style transfer to equal loss at {shape} pixels (others used {watch.share():.2f} cores meanwhile)"
    columns = ["", "evaluations", "seconds", "loss in fp32", "share of the time"]
    save(f"style_quality_{given.device}", table(title, columns, rows))


if __name__ == "__main__":
    main()
