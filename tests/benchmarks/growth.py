"""What a start costs when the data set grows: from the listing to the first step, beside torchvision's ImageFolder.

    python tests/benchmarks/growth.py                      1,000 to 1,000,000 files; 5 GB of disk, a quarter of an hour
    python tests/benchmarks/growth.py --most 100000

The files are distinct, tiny, and nearly all of one size: the hardest case, since every one of them has to be compared.
Each measurement is a process of its own; all are interleaved. Seconds are those of the processor, so that what else
runs on the machine counts less; files are in the page cache.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SIZES = (1_000, 10_000, 100_000, 1_000_000)
CLASSES = 10
SIDE = 8
COUNTED_UP_TO = 100_000
ROOT = Path(tempfile.gettempdir()) / "vtk-growth"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def make(folder: Path, count: int) -> None:
    """Grey pictures of noise, no two equal, of about 140 bytes."""
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0))
    rng, end = np.random.default_rng(count), chunk(b"IEND", b"")
    for label in range(CLASSES):
        (folder / f"class{label}").mkdir(parents=True)
    for first in range(0, count, 10_000):
        noise = rng.integers(0, 256, (10_000, SIDE, SIDE + 1), dtype=np.uint8)
        noise[:, :, 0] = 0  # the filter of each line
        for place in range(first, min(first + 10_000, count)):
            path = f"{folder}/class{place % CLASSES}/{place:07}.png"
            with open(path, "wb", buffering=0) as file:
                file.write(start + chunk(b"IDAT", zlib.compress(noise[place - first].tobytes(), 1)) + end)


def list_only(folder: Path) -> None:
    from torchvision.datasets import ImageFolder

    ImageFolder(str(folder))


def until_first_step(folder: Path) -> None:
    """All that ``vtk run FOLDER`` does up to the first step, and that step."""
    from rich.console import Console

    from toolkit.cli.target import load_target, read_target
    from toolkit.run.dry_run import _try_step
    from toolkit.run.setup import prepare

    sets = ("train.device=cpu", "train.precision=fp32", "data.image_size=16", "model={name: cnn, channels: [4]}")
    resolved = load_target(read_target(str(folder)), sets=sets, flags={}, demo=False, device=None)
    with tempfile.TemporaryDirectory() as directory:
        _try_step(prepare(resolved, console=Console(quiet=True), directory=Path(directory)))


WORK: dict[str, Callable[[Path], None]] = {
    "ImageFolder": list_only,
    "first": until_first_step,
    "again": until_first_step,
}


def measure(work: str, folder: Path, counted: bool) -> dict[str, float]:
    """One measurement, in this process: seconds of the processor, bytes at the peak beyond what a small start takes."""
    import torch  # noqa: F401
    import torchvision.datasets  # noqa: F401

    WORK[work](ROOT / "1000")  # imports, and what is made once
    before, clock = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    began = time.process_time()
    if counted:
        sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
        from opened import looked_at, opened

        with opened(folder) as opens, looked_at(folder) as looks:
            WORK[work](folder)
        return {"opens": sum(opens.values()), "looks": sum(looks.values())}
    WORK[work](folder)
    return {
        "seconds": time.process_time() - began,
        "wall": time.perf_counter() - clock,
        "bytes": 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before),
    }


def in_a_process(work: str, count: int, cache: Path, counted: bool = False) -> dict[str, float]:
    if work == "first":
        shutil.rmtree(cache, ignore_errors=True)
    command = [sys.executable, __file__, "--one", work, "--count", str(count), *(["--counted"] if counted else [])]
    done = subprocess.run(command, env=os.environ | {"VTK_CACHE": str(cache)}, check=True, stdout=subprocess.PIPE)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def compare(sizes: list[int], repeats: int) -> dict[tuple[str, int], dict[str, float]]:
    """Medians of each work at each size."""
    found: dict[tuple[str, int], list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as cache:
        for _ in range(repeats):
            for count in sizes:
                for work in WORK:
                    found.setdefault((work, count), []).append(in_a_process(work, count, Path(cache)))
                    print(work, count, found[work, count][-1], file=sys.stderr, flush=True)
        medians = {
            key: {name: statistics.median(one[name] for one in several) for name in several[0]}
            for key, several in found.items()
        }
        for count in sizes:
            for work in ("first", "again") if count <= COUNTED_UP_TO else ():
                medians[work, count] |= in_a_process(work, count, Path(cache), counted=True)
    return medians


def rows_of(medians: dict[tuple[str, int], dict[str, float]], sizes: list[int]) -> list[list[str]]:
    """A line for each size; times over what 1,000 files cost."""

    def over(work: str, count: int) -> float:
        return medians[work, count]["seconds"] - medians[work, sizes[0]]["seconds"]

    rows = []
    for count in sizes:
        first, again = medians["first", count], medians["again", count]
        line = [f"{count:,}", *(f"{medians[work, count]['seconds']:.2f} s" for work in WORK)]
        if count == sizes[0]:
            line += ["", "", "", ""]
        else:
            listing = over("ImageFolder", count)
            line += [f"{over(work, count) / listing:.1f}" for work in ("first", "again")]
            line += [f"{first['bytes'] / count:.0f}", f"{medians['ImageFolder', count]['bytes'] / count:.0f}"]
        counts = [one.get(name) for one in (first, again) for name in ("opens", "looks")]
        rows.append(line + ["" if value is None else f"{value / count:.2f}" for value in counts])
    return rows


COLUMNS = [
    "files",
    "ImageFolder lists",
    "first start",
    "second start",
    "first / ImageFolder, both over 1,000 files",
    "second / ImageFolder",
    "bytes a file, peak, first start",
    "the same, ImageFolder",
    "opens a file, first",
    "stats a file, first",
    "opens a file, second",
    "stats a file, second",
]


def slopes(medians: dict[tuple[str, int], dict[str, float]], sizes: list[int]) -> str:
    """Microseconds that each further file costs, from the last size but one to the last."""
    low, high = sizes[-2:]
    each = {
        work: 1e6 * (medians[work, high]["seconds"] - medians[work, low]["seconds"]) / (high - low) for work in WORK
    }
    words = ", ".join(f"{name} {value:.1f} µs" for name, value in each.items())
    return f"\nEach further file, from {low:,} to {high:,}: {words}.\n"


def main(arguments: Any) -> None:
    from harness import save, table

    sizes = [count for count in SIZES if count <= arguments.most]
    ROOT.mkdir(exist_ok=True)
    try:
        for count in sizes:
            if not (ROOT / str(count)).is_dir():
                make(ROOT / str(count), count)
        medians = compare(sizes, arguments.repeats)
    finally:
        if not arguments.keep:
            shutil.rmtree(ROOT)
    title = "From a folder of files to the first step (processor seconds)"
    save("growth", table(title, COLUMNS, rows_of(medians, sizes)) + slopes(medians, sizes))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--most", type=int, default=SIZES[-1])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--keep", action="store_true", help="leave the files for the next time")
    parser.add_argument("--one", choices=list(WORK), help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--counted", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(measure(chosen.one, ROOT / str(chosen.count), chosen.counted)))
    else:
        main(chosen)
