"""Peak memory of whole runs in tiles, everything counted: pictures, targets, history, checkpoints, the written result.

    python tests/benchmarks/style_memory.py [--megapixels 1 4 12] [--steps 8] [--tile 512]

Each size is a run of ``vtk`` in a process of its own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent)]

from harness import save, table  # noqa: E402

from toolkit.recipe.load import load_recipe  # noqa: E402

ASPECT = 427 / 640
"""Height over width of the photograph."""


def peak(size: int, steps: int, tile: str, folder: Path) -> tuple[float, str]:
    """Peak resident memory of a run in MiB, and what it said that it would take."""
    command = [sys.executable, "-m", "toolkit.cli", "run", "style", "--demo", "--out", str(folder / "run")]
    command += ["--size", str(size), "--steps", str(steps), "--output", str(folder / "out.png")]
    for change in (
        "pyramid.levels=1",
        f"memory.tile={tile}",
        f"output.preview_every={max(1, steps // 2)}",
        "model.style_layers=[conv_1,conv_2,conv_3,conv_4,conv_5]",
        "model.pooling=max",
    ):
        command += ["--set", change]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
    said = (folder / "log").read_text()
    if status:
        sys.exit(said)
    lines = [line for line in said.splitlines() if "MiB free" in line]
    return usage.ru_maxrss / 1024, lines[0].rpartition("about ")[2] if lines else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megapixels", type=float, nargs="+", default=[1, 4, 12])
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--tile", default="512")
    given = parser.parse_args()
    load_recipe("style", demo=True)
    rows, before = [], None
    for megapixels in given.megapixels:
        size = round((megapixels * 1e6 / ASPECT) ** 0.5)
        with tempfile.TemporaryDirectory() as folder:
            used, said = peak(size, given.steps, given.tile, Path(folder))
        slope = "" if before is None else f"{(used - before[1]) / (megapixels - before[0]):,.0f}"
        rows.append([f"{megapixels:g}", f"{size}×{round(size * ASPECT)}", f"{used:,.0f}", slope, said])
        before = megapixels, used
        print(*rows[-1], sep=" | ", flush=True)
    title = f"Style transfer: peak memory of a run in tiles of {given.tile} pixels"
    columns = ["megapixels", "size", "peak MiB", "MiB per further megapixel", "said before"]
    save("style_memory", table(title, columns, rows))


if __name__ == "__main__":
    main()
