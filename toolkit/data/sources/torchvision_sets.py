"""The classic small sets, through torchvision: downloaded once, checked, then read into memory."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from toolkit.data.sources.index import Found, ImageArrays
from toolkit.data.sources.source import Source
from toolkit.errors import ExitCode, VtkError
from toolkit.system.home import expanded, user_cache

__all__ = ["TorchvisionSet"]


@dataclass(frozen=True)
class _Known:
    """Facts about one set."""

    title: str
    dataset: str
    megabytes: int
    files: str
    folder: str


_KNOWN = {
    "mnist": _Known("MNIST", "MNIST", 12, "the four files *-ubyte.gz", "MNIST/raw"),
    "fashion-mnist": _Known("Fashion-MNIST", "FashionMNIST", 31, "the four files *-ubyte.gz", "FashionMNIST/raw"),
    "cifar10": _Known("CIFAR-10", "CIFAR10", 171, "cifar-10-python.tar.gz", "."),
    "cifar100": _Known("CIFAR-100", "CIFAR100", 170, "cifar-100-python.tar.gz", "."),
}


class TorchvisionSet(Source):
    """MNIST, Fashion-MNIST (28 × 28 grey), CIFAR-10 or CIFAR-100 (32 × 32 colour), with their own test split."""

    name: Literal["mnist", "fashion-mnist", "cifar10", "cifar100"]
    root: str | None = Field(None, description="Folder of the files; by default one in the user's cache.")
    download: bool = Field(True, description="Fetch what is missing.")

    def load(self) -> Found:
        from filelock import FileLock

        root = self.folder()
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = f"cannot be created: {error.strerror}"
            raise VtkError(message, place=str(root), code=ExitCode.CANNOT_CREATE) from error
        with FileLock(root / f".{self.name}.lock"):
            train, test = self._open(root, train=True), self._open(root, train=False)
        return Found.aligned(_arrays(train, self.name, "train"), None, _arrays(test, self.name, "test"))

    def folder(self) -> Path:
        """Where the files are, or will be."""
        if self.root is not None:
            return expanded(self.root)
        return user_cache() / "datasets"

    def downloads(self) -> list[str]:
        known, root = _KNOWN[self.name], self.folder()
        if not self.download or (root.is_dir() and self._try_open(root, train=True, download=False) is not None):
            return []
        return [f"{known.title}, {known.megabytes} MB, to {root}"]

    def _open(self, root: Path, *, train: bool) -> Any:
        present = self._try_open(root, train=train, download=False)
        if present is not None:
            return present
        if not self.download:
            raise self._missing(root, "and `download` is false")
        try:
            with _only_data_unpacked():
                return self._class()(str(root), train=train, download=True)
        except Exception as error:
            # torchvision passes on whatever its transport met: URLError, OSError, RuntimeError, EOFError.
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise self._missing(root, f"and could not be downloaded ({reason[-1]})") from error

    def _try_open(self, root: Path, *, train: bool, download: bool) -> Any:
        try:
            return self._class()(str(root), train=train, download=download)
        except Exception as error:
            if isinstance(error, RuntimeError) and "not found" in str(error):
                return None  # torchvision's word for files that are missing or other than their checksums say
            raise VtkError(
                f"the files of {_KNOWN[self.name].title} are damaged: {error or type(error).__name__}",
                place=str(root / _KNOWN[self.name].folder),
                hint="delete them; they are fetched again",
            ) from error

    def _class(self) -> Any:
        import torchvision.datasets

        return getattr(torchvision.datasets, _KNOWN[self.name].dataset)

    def _missing(self, root: Path, why: str) -> VtkError:
        known = _KNOWN[self.name]
        return VtkError(
            f"{known.title} is not in {root}, {why}",
            hint=f"put {known.files} into {root / known.folder} and run again,\n"
            "  or try the recipe on data that need no download: add --demo",
            code=ExitCode.NO_INPUT,
        )


@contextmanager
def _only_data_unpacked() -> Iterator[None]:
    """Meanwhile tar archives are unpacked as Python 3.14 does of itself (PEP 706): nothing outside the folder.

    torchvision passes no filter, of which Python 3.12 and 3.13 warn. Python before 3.11.4, such as Debian 12's, neither
    has filters nor warns; there the checksum, which torchvision compares before it unpacks, vouches for the archive.
    """
    if not hasattr(tarfile, "data_filter"):
        yield
        return
    before = tarfile.TarFile.extraction_filter
    tarfile.TarFile.extraction_filter = staticmethod(tarfile.data_filter)
    try:
        yield
    finally:
        tarfile.TarFile.extraction_filter = before


def _arrays(dataset: Any, name: str, part: str) -> ImageArrays:
    classes = tuple("0123456789") if name == "mnist" else tuple(dataset.classes)
    images = np.asarray(dataset.data, dtype=np.uint8)
    return ImageArrays(images, np.asarray(dataset.targets, dtype=np.int64), classes, part)
