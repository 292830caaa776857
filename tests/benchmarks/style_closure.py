"""One evaluation of loss and gradient: the plugin beside the plain way.

bf16 is measured where the processor has instructions for it; elsewhere it is emulated and no choice for a user.

python tests/benchmarks/style_closure.py [--size 512] [--device cpu] [--repeats 7]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent)]

import torch  # noqa: E402
from harness import compare, save, table  # noqa: E402
from style_plain import PlainStyle, pair, start  # noqa: E402

from toolkit.system.allocator import tune_allocator  # noqa: E402
from toolkit.system.precision import PrecisionPlan, auto_precision  # noqa: E402


def seconds(evaluate: Callable[[], Any], device: torch.device) -> Callable[[], float]:
    """Measures one evaluation."""

    def measure() -> float:
        begun = time.perf_counter()
        evaluate()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - begun

    return measure


def ours(size: int, device: str, precision: str, tile: int | str) -> tuple[Callable[[], Any], Any]:
    """An evaluation by the plugin, in its first and only stage."""
    sections = {"pyramid": {"levels": 1}, "train": {"device": device, "precision": precision}, "memory": {"tile": tile}}
    run, model, inputs = start(size, **sections)
    plan = PrecisionPlan(precision, "", run.device.type)

    def evaluate() -> None:
        model.image.grad = None
        with plan.autocast():
            terms = run.loss(model(None), None)
        torch.stack(list(terms.values())).sum().backward()

    return evaluate, (run, inputs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=7)
    given = parser.parse_args()
    tune_allocator()
    device = torch.device(given.device)
    plain_scene = ours(given.size, given.device, "fp32", "whole")[1][1]
    content, style = pair(plain_scene, given.size, device)
    plain = PlainStyle(content, style)
    image = content.clone().requires_grad_()
    cases = {"plain way, fp32": seconds(plain.closure(image, []), device)}
    kinds: list[tuple[str, str, int | str]] = [("fp32", "fp32", "whole"), ("fp32, tiles of 256", "fp32", 256)]
    if auto_precision(device)[0] != "fp32":
        kinds.append(("bf16", "bf16", "whole"))
    for name, precision, tile in kinds:
        cases[f"plugin, {name}"] = seconds(ours(given.size, given.device, precision, tile)[0], device)
    times = compare(cases, given.repeats)
    base = times["plain way, fp32"]
    rows = [[name, f"{1e3 * value:,.0f}", f"{base / value:.2f}"] for name, value in times.items()]
    shape = "×".join(map(str, content.shape[:1:-1]))
    title = f"Style transfer, one evaluation at {shape} pixels on {torch.get_num_threads()} threads"
    save(f"style_closure_{given.device}", table(title, ["", "ms", "times as fast"], rows))


if __name__ == "__main__":
    main()
