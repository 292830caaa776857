"""Evaluations until the loss is within 5 % of its final value, at several sizes, without a pyramid.

    python tests/benchmarks/style_evaluations.py [--sizes 256 512 1024] [--steps 100] [--device cpu]

With ``--keep FOLDER`` every evaluation's loss and the optimizer are kept there, and after ``--seconds`` the script
stops and goes on from there when it is called again; the numbers are those of an uninterrupted run.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent)]

import torch  # noqa: E402
from harness import save, table  # noqa: E402
from style_plain import start  # noqa: E402

from toolkit.system.allocator import tune_allocator  # noqa: E402
from vtk_style.lbfgs import LBFGS  # noqa: E402


def history(size: int, steps: int, device: str, keep: Path | None, seconds: float) -> list[float]:
    """The total loss at each evaluation; fewer than ``steps`` where the time was over."""
    until = time.monotonic() + seconds
    sections = {"pyramid": {"levels": 1}, "train": {"device": device, "precision": "fp32"}}
    run, model, _ = start(size, **sections)
    optimizer, losses = LBFGS([model.image], history_dtype=torch.bfloat16), list[float]()
    if keep is not None and keep.exists():
        state = torch.load(keep)
        model.image.data.copy_(state["image"])
        optimizer.load_state_dict(state["optimizer"])
        losses = state["losses"]

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        total = torch.stack(list(run.loss(model(None), None).values())).sum()
        total.backward()
        losses.append(total.item())
        return total.detach()

    while len(losses) < steps and time.monotonic() < until:
        optimizer.step(closure)
    if keep is not None:
        torch.save({"image": model.image.data, "optimizer": optimizer.state_dict(), "losses": losses}, keep)
    return losses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512, 1024])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--seconds", type=float, default=math.inf)
    given = parser.parse_args()
    tune_allocator()
    begun, rows = time.monotonic(), []
    for size in given.sizes:
        keep = None if given.keep is None else given.keep / f"{size}.pt"
        left = given.seconds - (time.monotonic() - begun)
        losses = history(size, given.steps, given.device, keep, left)
        if len(losses) < given.steps:
            sys.exit(f"{size} px: {len(losses)} of {given.steps} evaluations; call again to go on")
        reached = next(i for i, loss in enumerate(losses, start=1) if loss <= 1.05 * losses[-1])
        hundredth = next((str(i) for i, loss in enumerate(losses, start=1) if loss <= losses[0] / 100), "")
        rows.append([f"{size}", f"{losses[0]:.4g}", f"{losses[-1]:.4g}", hundredth, f"{reached}"])
        print(*rows[-1], flush=True)
    counts = [int(row[-1]) for row in rows]
    title = f"Style transfer: progress over {given.steps} evaluations, one size at a time"
    text = table(
        title,
        ["longer side", "first loss", "last loss", "evaluations to 1/100 of the first", "to 1.05 times the last"],
        rows,
    )
    save("style_evaluations", f"{text}\nMost to fewest: {max(counts) / min(counts):.2f}.\n")


if __name__ == "__main__":
    main()
