"""What more classes, labels and rows cost: evaluation and report of as many images, and reading a table of labels.

``python tests/benchmarks/growth_classes.py [images]`` compares 10, 100, 1,000 and 10,000 classes side by side in one
process: four convolutions (38 million multiplications a picture, a fiftieth of a ResNet-18 at 224 pixels), a linear
head of 512 inputs, the loss, the metrics, the report; nothing is decoded. Then tables of rows x labels. Seconds are
those of the processor, on one thread; memory is what Python and numpy took.
"""

from __future__ import annotations

import csv
import gc
import random
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from harness import compare, save, table

from toolkit.data.splits.stratified_multilabel import iterative_stratification
from toolkit.report.run_page import write_report
from toolkit.run.meters import OutputBuffer
from toolkit.types.results import Result
from vtk_classification.metrics import build_metrics
from vtk_classification.report import report
from vtk_multilabel.csv_labels import CsvLabels

CLASSES = (10, 100, 1_000, 10_000)
TABLES = ((5_000, 30), (5_000, 300), (20_000, 30), (20_000, 300))
BATCH = 250


def evaluation(images: int, classes: int) -> Callable[[], float]:
    """Seconds for so many images; see above."""
    rng = torch.Generator().manual_seed(0)
    features = torch.randn(BATCH, 512, generator=rng)
    head = torch.nn.Linear(512, classes)
    trunk = torch.nn.Sequential(*(torch.nn.Conv2d(64, 64, 3, padding=1) for _ in range(4)))
    pictures = torch.randn(BATCH, 64, 16, 16, generator=rng)
    targets = torch.randint(0, classes, (images,), generator=rng)
    names = [f"class {number}" for number in range(classes)]

    def once() -> float:
        started = time.process_time()
        buffer = OutputBuffer(build_metrics(classes))
        with torch.inference_mode():
            for here in targets.split(BATCH):
                trunk(pictures)
                logits = head(features[: len(here)])
                torch.nn.functional.cross_entropy(logits, here)
                buffer.add(logits, here)
        values = buffer.compute()
        _written(Result("test", values, collected=buffer.metrics), names)
        return time.process_time() - started

    return once


def _written(result: Result, names: list[str]) -> None:
    run: Any = SimpleNamespace(data=SimpleNamespace(meta={"classes": names}, train=None), trained_meta=None)
    with tempfile.TemporaryDirectory() as folder:
        write_report(Path(folder), title="growth", result=result, items=report(run, result))


def reading(folder: Path, rows: int, labels: int) -> Callable[[], float]:
    """Seconds for a table with a column for each label, and for its cut."""
    file, draw = folder / f"{rows}x{labels}.csv", random.Random(0)
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", *(f"label {number}" for number in range(labels))])
        for row in range(rows):
            chosen = set(draw.choices(range(labels), k=3))
            writer.writerow([f"{row}.png", *("1" if number in chosen else "0" for number in range(labels))])
    source = CsvLabels.model_validate({"name": "csv", "file": str(file), "labels": {"name": "columns"}})

    def once() -> float:
        started = time.process_time()
        targets = source.load_listed().train.targets
        assert targets is not None
        iterative_stratification(targets, {"val": 0.2}, 0)
        return time.process_time() - started

    return once


def peak(case: Callable[[], float]) -> float:
    """MB at most at one time."""
    gc.collect()
    tracemalloc.start()
    case()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most / 1e6


def slope(sizes: list[int], seconds: list[float]) -> float:
    """The exponent of growth between the smallest and the largest: 0 is no growth, 1 proportional."""
    return float(np.log(seconds[-1] / seconds[0]) / np.log(sizes[-1] / sizes[0]))


def main() -> None:
    torch.set_num_threads(1)
    images = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    cases = {str(classes): evaluation(images, classes) for classes in CLASSES}
    found = compare(cases, repeats=3, tries=3)
    least = found[str(CLASSES[0])]
    rows = [
        [f"{n:,}", f"{found[str(n)]:.2f} s", f"{found[str(n)] / least:.2f}", f"{peak(cases[str(n)]):.0f} MB"]
        for n in CLASSES
    ]
    exponent = slope(list(CLASSES), [found[str(n)] for n in CLASSES])
    title = (
        f"Evaluation and report of {images:,} images by classes; grows with the power {exponent:.2f} of their number"
    )
    text = table(title, ["classes", "processor time", "ratio", "Python and numpy at most"], rows)
    with tempfile.TemporaryDirectory() as folder:
        tables = {f"{r:,} x {n}": reading(Path(folder), r, n) for r, n in TABLES}
        taken = compare(tables, repeats=3, tries=3)
        lines = [
            [name, f"{taken[name]:.2f} s", f"{taken[name] / r * 1e6:.0f} µs", f"{peak(tables[name]) * 1e6 / r:.0f} B"]
            for name, (r, _) in zip(tables, TABLES, strict=True)
        ]
        more_rows = slope([TABLES[1][0], TABLES[3][0]], [taken[f"{r:,} x {n}"] for r, n in (TABLES[1], TABLES[3])])
        more_labels = slope([TABLES[2][1], TABLES[3][1]], [taken[f"{r:,} x {n}"] for r, n in (TABLES[2], TABLES[3])])
    title = (
        f"Reading and cutting a table of labels; grows with the power {more_rows:.2f} of the rows and "
        f"{more_labels:.2f} of the columns"
    )
    text += "\n" + table(title, ["rows x labels", "processor time", "for a row", "at most for a row"], lines)
    save("growth_classes", text)


if __name__ == "__main__":
    main()
