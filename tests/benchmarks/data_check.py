"""How fast ``vtk check`` reads a data set, and how long it looks for near duplicates among many pictures.

    python tests/benchmarks/data_check.py

The pictures are drawn creatures on 500 × 375 pixels with a little grain, as JPEGs of about 30 kB, read from the page
cache. The classic way, beside it: hashlib for equal files, Pillow for decoding and for the size, and the usual pHash
(grey, 32 × 32, DCT, median of the 8 × 8 lowest frequencies).
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import cv2
import numpy as np
import scipy.fft
from harness import compare, save, table
from PIL import Image

from toolkit.data.sources import Folder
from toolkit.data.splits.fingerprints import Look, look_groups, near_pairs
from toolkit.data_audit.data_report import check_data

PICTURES = 600
HASHES = 100_000
DISTANCE = 8


def draw(root: Path) -> list[Path]:
    """The pictures, in two class folders."""
    from vtk_classification.drawn.creatures import KINDS, draw_creature

    files = []
    for number in range(PICTURES):
        rng = np.random.default_rng([3, number])
        kind = KINDS[number % 2]
        picture = cv2.resize(draw_creature(kind, rng), (500, 375), interpolation=cv2.INTER_AREA)
        grain = rng.normal(0, 4, picture.shape)
        pixels = np.clip(picture + grain, 0, 255).astype(np.uint8)
        files.append(root / kind / f"{number}.jpg")
        files[-1].parent.mkdir(exist_ok=True)
        cv2.imwrite(str(files[-1]), pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 82])
    return files


def check(root: Path, workers: int) -> float:
    """Seconds of the whole report: reading, hashing, looking, comparing."""
    start = time.perf_counter()
    report = check_data(Folder(name="folder", root=str(root)).survey(), workers=workers)
    assert not report.faults, report.faults
    return time.perf_counter() - start


def classic(files: list[Path]) -> float:
    """Seconds of the classic way, without any comparing."""
    start = time.perf_counter()
    for file in files:
        data = file.read_bytes()
        hashlib.sha256(data).digest()
        image = Image.open(io.BytesIO(data)).convert("RGB")
        small = np.asarray(image.convert("L").resize((32, 32), Image.Resampling.LANCZOS), np.float64)
        low = scipy.fft.dctn(small)[:8, :8]
        (low > np.median(low)).tobytes()
    return time.perf_counter() - start


def hashes_of(kind: str) -> np.ndarray:
    """A hundred thousand hashes, a thousand of them near another one."""
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, HASHES, dtype=np.uint64)
    hashes[-1000:] = hashes[:1000] ^ (np.uint64(0b10101) << rng.integers(0, 60, 1000, dtype=np.uint64))
    if kind == "half of them in one bucket of each band":
        hashes[: HASHES // 2] &= np.uint64(0x0000_FFFF_FFFF_0000)
        hashes[: HASHES // 2] = _scattered(hashes[: HASHES // 2])
    return hashes


def _scattered(hashes: np.ndarray) -> np.ndarray:
    """Bits moved so that every band of the search keeps some that are always zero."""
    spread = np.zeros_like(hashes)
    for bit in range(32):
        spread |= ((hashes >> np.uint64(16 + bit)) & np.uint64(1)) << np.uint64(2 * bit)
    return spread


def search(hashes: np.ndarray) -> float:
    """Seconds for all pairs within the distance."""
    start = time.perf_counter()
    found = sum(len(left) for left, _ in near_pairs(hashes, DISTANCE))
    assert found >= 1000
    return time.perf_counter() - start


def equal_looks() -> Callable[[], float]:
    """Seconds for grouping a hundred thousand pictures of which half are one and the same."""
    rng = np.random.default_rng(1)
    thumbnails = rng.integers(0, 256, (HASHES // 2, 16, 16, 3), dtype=np.uint8)
    hashes = rng.integers(0, 2**64, HASHES // 2, dtype=np.uint64).tolist()
    looks = [Look(value, thumb, flat=False) for value, thumb in zip(hashes, thumbnails, strict=True)]
    looks += [looks[0]] * (HASHES // 2)

    def timed() -> float:
        start = time.perf_counter()
        assert (look_groups(looks) == 0).sum() >= HASHES // 2
        return time.perf_counter() - start

    return timed


def main() -> None:
    """Measure, print and commit-ready: ``tests/benchmarks/results/data_check.md``."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        files = draw(root)
        kilobytes = np.median([file.stat().st_size for file in files]) / 1000
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        cases = {"Pillow and pHash, 1 thread": lambda: classic(files), "vtk check, 1 thread": lambda: check(root, 1)}
        if cores > 1:
            cases[f"vtk check, {cores} threads"] = lambda: check(root, cores)
        seconds = compare(cases, repeats=5, tries=8)
    base = seconds["Pillow and pHash, 1 thread"]
    rows = [[name, f"{PICTURES / s:,.0f}", f"{base / s:.1f}×"] for name, s in seconds.items()]
    title = f"Reading a data set: {PICTURES} JPEGs of 500 × 375 pixels, median {kilobytes:.0f} kB"
    text = table(title, ["", "images/s", "against the classic"], rows)

    spread, crowded = hashes_of("spread"), hashes_of("half of them in one bucket of each band")
    searches = {
        "hashes spread evenly": lambda: search(spread),
        "half of the hashes crowded in few buckets": lambda: search(crowded),
        "half of the pictures equal, thumbnails compared": equal_looks(),
    }
    seconds = compare(searches, repeats=3, tries=4)
    rows = [[name, f"{s:.1f}"] for name, s in seconds.items()]
    title = f"Near duplicates among {HASHES:,} hashes of 64 bits, up to {DISTANCE} bits apart, one thread"
    save("data_check", text + "\n" + table(title, ["", "seconds"], rows))


if __name__ == "__main__":
    main()
