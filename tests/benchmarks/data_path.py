"""From JPEG files to normalised batches: a core alone, then a whole loader, beside what others do.

    python tests/benchmarks/data_path.py

Every side does RandomResizedCrop to 224, mirroring, rotation by ±10°, colour jitter and normalisation, and ends in a
float batch of 32. The classic is what tutorials teach: PIL and torchvision's first transforms. The floor of a file is
what a decoder must do whatever part and scale is wanted: undo the entropy coding, measured by decoding to an eighth of
the size, in grey.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent)]

import numpy as np  # noqa: E402
import torch  # noqa: E402
from harness import compare, save, table  # noqa: E402
from photographs import SIZES, write_photographs  # noqa: E402

from toolkit.data.augment.augment import Preset  # noqa: E402
from toolkit.data.loading.datasets import build_dataset  # noqa: E402
from toolkit.data.loading.image_cache import CacheChoice, CacheSection, Keep  # noqa: E402
from toolkit.data.loading.loaders import Kind, build_loader  # noqa: E402
from toolkit.data.preprocess import IMAGENET_MEAN, IMAGENET_STD, Preprocess  # noqa: E402
from toolkit.data.sources import ImageFiles  # noqa: E402
from toolkit.system.opencv import cv2  # noqa: E402
from toolkit.types.data import IndexBatch  # noqa: E402

BATCH, WORKERS = 32, 2
COUNTS = {"500 × 375": 64, "3 MP": 6, "12 MP": 3}
PREPROCESS = Preprocess()


class Classic(torch.utils.data.Dataset[Any]):
    """PIL and torchvision's first transforms."""

    def __init__(self, files: list[Path]) -> None:
        from torchvision import transforms as t

        self.files = files
        self.transform = t.Compose([
            t.RandomResizedCrop(224), t.RandomHorizontalFlip(), t.RandomRotation(10),
            t.ColorJitter(0.2, 0.2, 0.2, 0.1), t.ToTensor(), t.Normalize(IMAGENET_MEAN, IMAGENET_STD),
        ])  # fmt: skip

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> torch.Tensor:
        from PIL import Image

        return self.transform(Image.open(self.files[index]).convert("RGB"))


class Albumentations(Classic):
    """OpenCV and albumentations."""

    def __init__(self, files: list[Path]) -> None:
        import albumentations as a

        self.files = files
        self.transform = a.Compose([
            a.RandomResizedCrop((224, 224)), a.HorizontalFlip(p=0.5), a.Rotate(10, p=1.0),
            a.ColorJitter(0.2, 0.2, 0.2, 0.1, p=1.0), a.Normalize(), a.ToTensorV2(),
        ])  # fmt: skip

    def __getitem__(self, index: int) -> torch.Tensor:
        image = cv2.cvtColor(cv2.imread(str(self.files[index])), cv2.COLOR_BGR2RGB)
        return self.transform(image=image)["image"]


def ours(files: list[Path], choice: CacheChoice, shrink: int | None, preset: Preset = "standard") -> Any:
    """The toolkit's training set of these files."""
    index = ImageFiles(Path("/"), tuple(map(str, files)), np.zeros(len(files), np.int64), ("a", "b"))
    keep = Keep(choice, shrink, processes=False, writes=True)
    return build_dataset(index, PREPROCESS, preset, "error", keep)


def one_by_one(dataset: Any) -> Callable[[], float]:
    """Milliseconds a picture, on one core, batches joined."""

    def run() -> float:
        start = time.perf_counter()
        for first in range(0, len(dataset), BATCH):
            torch.stack([dataset[i] for i in range(first, min(first + BATCH, len(dataset)))])
        return 1e3 * (time.perf_counter() - start) / len(dataset)

    return run


def whole(dataset: Any) -> Callable[[], float]:
    """Milliseconds a picture of the toolkit's, normalised as batches; each call is another epoch."""
    normalize, epoch = PREPROCESS.normalize(), iter(range(10**6))

    def run() -> float:
        number, start = next(epoch), time.perf_counter()
        for first in range(0, len(dataset), BATCH):
            chosen = np.arange(first, min(first + BATCH, len(dataset)))
            normalize.apply(dataset.__getitems__(IndexBatch(chosen, seed=1, epoch=number)).inputs)
        return 1e3 * (time.perf_counter() - start) / len(dataset)

    return run


def floor(files: list[Path]) -> Callable[[], float]:
    """Milliseconds a picture to read a file and undo its entropy coding."""

    def run() -> float:
        start = time.perf_counter()
        for file in files:
            cv2.imdecode(np.frombuffer(file.read_bytes(), np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_8)
        return 1e3 * (time.perf_counter() - start) / len(files)

    return run


def per_core(folder: Path) -> list[list[str]]:
    """A row for each side and size."""
    rows = []
    for name, size in SIZES.items():
        files = write_photographs(folder / str(size[0]), COUNTS[name], size)
        disk = CacheSection(keep="disk", folder=str(folder / "kept"))
        found = compare(
            {
                "PIL + torchvision v1": one_by_one(Classic(files)),
                "cv2 + albumentations": one_by_one(Albumentations(files)),
                "floor of the file": floor(files),
                "vtk": whole(ours(files, "off", None)),
                "vtk, shrink 256": whole(ours(files, "off", 256)),
                "vtk, shrink 256, cache on disk": whole(ours(files, disk, 256)),
                "vtk, shrink 256, cache in memory": whole(ours(files, "ram", 256)),
            }
            | ({"vtk, cache in memory": whole(ours(files, "ram", None))} if size[0] < 1000 else {}),
            repeats=3,
            tries=4,
        )
        base = found["PIL + torchvision v1"]
        rows += [[name, side, f"{ms:.2f}", f"{base / ms:.1f}"] for side, ms in found.items()]
    return rows


def classic_epochs(dataset: Any) -> Callable[[], float]:
    """Images a second of a DataLoader with worker processes that stay."""
    loader = torch.utils.data.DataLoader(
        dataset, BATCH, shuffle=True, num_workers=WORKERS, persistent_workers=True, drop_last=True
    )

    def run() -> float:
        start = time.perf_counter()
        count = sum(len(batch) for batch in loader)
        return count / (time.perf_counter() - start)

    return run


def our_epochs(dataset: Any, kind: Kind = "thread") -> Callable[[], float]:
    """Images a second of the toolkit's loader, normalised in the main thread."""
    loader = build_loader(dataset, batch_size=BATCH, shuffle=True, workers=WORKERS, kind=kind, drop_last=True)
    normalize, epoch = PREPROCESS.normalize(), iter(range(10**6))

    def run() -> float:
        start = time.perf_counter()
        count = sum(len(normalize.apply(batch.inputs)) for batch in loader.once(next(epoch)))
        return count / (time.perf_counter() - start)

    return run


def loaders(folder: Path) -> list[list[str]]:
    """A row for each whole loader, on 500 × 375."""
    files = 10 * sorted((folder / "375").glob("*.jpg"))
    found = compare(
        {
            "PIL + torchvision v1, 2 processes": classic_epochs(Classic(files)),
            "cv2 + albumentations, 2 processes": classic_epochs(Albumentations(files)),
            "vtk, 2 threads": our_epochs(ours(files, "off", None)),
            "vtk, 2 processes": our_epochs(ours(files, "off", None), "process"),
            "vtk, strong augmentation, 2 threads": our_epochs(ours(files, "off", None, "strong")),
            "vtk, strong augmentation, 2 processes": our_epochs(ours(files, "off", None, "strong"), "process"),
            "vtk, 2 threads, cache in memory": our_epochs(ours(files, "ram", None)),
            "vtk, 2 threads, shrink 256, cache in memory": our_epochs(ours(files, "ram", 256)),
        },
        repeats=3,
        tries=4,
    )
    base = found["PIL + torchvision v1, 2 processes"]
    return [[side, f"{rate:,.0f}", f"{rate / base:.1f}"] for side, rate in found.items()]


def main() -> None:
    """Measure and write ``tests/benchmarks/results/data_path.md``."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        core = table("A core alone", ["picture", "side", "ms a picture", "× the classic"], per_core(Path(name)))
        save("data_path", core)
        columns = ["side", "images/s", "× the classic"]
        save("data_path", core + "\n" + table("A loader on two cores, 500 × 375", columns, loaders(Path(name))))


if __name__ == "__main__":
    main()
