"""Peak memory of whole runs in tiles, everything counted: pictures, targets, history, checkpoints, the written result.

    python tests/benchmarks/style_memory.py [--megapixels 1 3 12] [--depth 5] [--steps 2] [--tile 512] [--keep FILE]

Each size is a run of ``vtk`` in a process of its own. All memory is taken by the second step, so few steps show the
peak. The style is shrunk, which saves time and no memory. ``--depth 3`` taps conv_1 … conv_3 only: half of the time,
and the same bytes for each pixel of the image, since conv_3 has as many numbers as conv_4. ``--keep`` adds to the sizes
that a file already holds.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent)]

from harness import save, table  # noqa: E402

ASPECT = 427 / 640
"""Height over width of the photograph."""


def peak(size: int, depth: int, steps: int, tile: str, folder: Path) -> tuple[float, float]:
    """Peak resident memory of a run in MiB, and what it said that it would take at most."""
    command = [sys.executable, "-m", "toolkit.cli", "run", "style", "--demo", "--out", str(folder / "run")]
    command += ["--size", str(size), "--steps", str(steps), "--output", str(folder / "out.png")]
    for change in (
        "pyramid.levels=1",
        f"memory.tile={tile}",
        f"output.preview_every={max(1, steps // 2)}",
        f"model.style_layers=[{','.join(f'conv_{k}' for k in range(1, depth + 1))}]",
        f"model.content_layers=[conv_{min(depth, 4)}]",
        "model.pooling=max",
        "data.style_scale=0.25",
    ):
        command += ["--set", change]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
    said = (folder / "log").read_text()
    if status:
        sys.exit(said)
    found = re.search(r"memory at most ([\d,]+) MiB", said)
    assert found is not None, said
    return usage.ru_maxrss / 1024, float(found[1].replace(",", ""))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megapixels", type=float, nargs="+", default=[1, 3, 12])
    parser.add_argument("--depth", type=int, choices=[3, 4, 5], default=5)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--tile", default="512")
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    measured: dict[str, tuple[float, float]] = {}
    if given.keep is not None and given.keep.exists():
        measured = json.loads(given.keep.read_text())
    for megapixels in given.megapixels:
        key = f"{given.depth} {megapixels:g}"
        with tempfile.TemporaryDirectory() as folder:
            measured[key] = peak(side(megapixels), given.depth, given.steps, given.tile, Path(folder))
        print(key, *measured[key], flush=True)
        if given.keep is not None:
            given.keep.write_text(json.dumps(measured))
    rows, before = [], (0, 0.0, 0.0)
    for depth, megapixels in sorted((int(key.split()[0]), float(key.split()[1])) for key in measured):
        (used, said), size = measured[f"{depth} {megapixels:g}"], side(megapixels)
        further = (used - before[2]) / (megapixels - before[1])
        slope = f"{further:,.0f}" if depth == before[0] else ""
        layers, shape = f"conv_1 … conv_{depth}", f"{size}×{round(size * ASPECT)}"
        rows.append([layers, f"{megapixels:g}", shape, f"{used:,.0f}", slope, f"{said:,.0f}"])
        before = depth, megapixels, used
    title = f"Style transfer: peak memory of a run in tiles of {given.tile} pixels"
    columns = ["layers", "megapixels", "size", "peak MiB", "MiB per further megapixel", "said before, at most"]
    save("style_memory", table(title, columns, rows))


def side(megapixels: float) -> int:
    """The longer side of a picture with the photograph's aspect."""
    return round((megapixels * 1e6 / ASPECT) ** 0.5)


if __name__ == "__main__":
    main()
