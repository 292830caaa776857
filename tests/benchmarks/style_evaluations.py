"""Evaluations until the loss is within 5 % of its final value, at several sizes, without a pyramid.

python tests/benchmarks/style_evaluations.py [--sizes 256 512 1024] [--steps 300] [--device cpu]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent)]

import torch  # noqa: E402
from harness import save, table  # noqa: E402
from style_plain import start  # noqa: E402

from toolkit.run.machine import tune_allocator  # noqa: E402
from vtk_style.lbfgs import LBFGS  # noqa: E402


def history(size: int, steps: int, device: str) -> list[float]:
    """The total loss at each evaluation."""
    sections = {"pyramid": {"levels": 1}, "train": {"device": device, "precision": "fp32"}}
    run, model, _ = start(size, **sections)
    optimizer, losses = LBFGS([model.image]), list[float]()

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        total = torch.stack(list(run.loss(model(None), None).values())).sum()
        total.backward()
        losses.append(total.item())
        return total.detach()

    for _ in range(steps):
        optimizer.step(closure)
    return losses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512, 1024])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    tune_allocator()
    rows = []
    for size in given.sizes:
        losses = history(size, given.steps, given.device)
        reached = next(i for i, loss in enumerate(losses, start=1) if loss <= 1.05 * losses[-1])
        rows.append([f"{size}", f"{losses[0]:.4g}", f"{losses[-1]:.4g}", f"{reached}"])
        print(*rows[-1], flush=True)
    title = f"Style transfer: evaluations to 1.05 times the loss after {given.steps}"
    save("style_evaluations", table(title, ["longer side", "first loss", "last loss", "evaluations"], rows))


if __name__ == "__main__":
    main()
