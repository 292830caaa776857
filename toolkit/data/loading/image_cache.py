"""What a dataset reads of its files, and whether it is kept: the recipe's ``data.cache`` and ``data.shrink``.

What is read follows from the recipe and the files alone; where it is kept, and whether there was room, changes nothing.
Training pictures are kept as decoded (brought down to ``shrink``), evaluated ones as the model sees them.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from toolkit.bounds import Positive
from toolkit.data.io.decode import Encoded, ImageError, reduction
from toolkit.data.io.resize import area_resized, filtered
from toolkit.data.loading.cache import (
    DiskStore,
    MemoryStore,
    PictureKeys,
    PlaceKeys,
    Store,
    cache_folder,
    own_group,
    require_cache,
    trim,
)
from toolkit.data.preprocess import Preprocess
from toolkit.errors import ExitCode, VtkError
from toolkit.section import Section
from toolkit.system.memory import free_memory
from toolkit.system.progress import step

__all__ = ["CacheChoice", "CacheSection", "Keep", "Reader"]

Pixels = npt.NDArray[np.uint8]

SMALL_SET = 1 << 30
"""Bytes of a split's decoded pictures up to which ``auto`` keeps them."""
_LARGE = 4e6
"""Bytes of a picture beyond which decoding a part of it is as quick as cutting that part out."""
_LOOKED_AT = 48
_DISK_LIMIT = 50e9


class CacheSection(Section):
    """Where decoded pictures are kept, and how many bytes of them."""

    keep: Literal["ram", "disk"] = Field(description="In this process's memory, or in files that runs share.")
    gigabytes: Positive | None = Field(
        None,
        description="Room for them; images beyond it are decoded each time. By default half of the free memory, or "
        "50 GB of disk, where data sets unused for longest make room.",
    )
    folder: str | None = Field(
        None, description="Folder for `disk`; by default $VTK_CACHE, else one in the user's cache."
    )

    @model_validator(mode="after")
    def _folder_is_used(self) -> CacheSection:
        if self.folder is not None and self.keep != "disk":
            raise ValueError("folder goes with keep: disk")
        return self


CacheChoice = Literal["auto", "off", "ram", "disk"] | CacheSection


class Reader:
    """Gives the picture of a sample: kept, or made from its file and then kept. Picklable if its store is.

    Args:
        paths: the files.
        make: what is kept, made from a file's content.
        store: where; None keeps nothing.
        keys: what names each sample in the store; None for a sample that is not kept.
    """

    def __init__(
        self,
        paths: Sequence[str],
        make: Callable[[Encoded], Pixels],
        store: Store | None = None,
        keys: Sequence[str | None] = (),
    ) -> None:
        self.paths, self.make, self.store, self.keys = paths, make, store, keys

    def __call__(self, index: int) -> Pixels:
        """Pixels that may be read-only.

        Raises:
            ImageError: the file cannot be used.
        """
        key = self.keys[index] if self.store is not None else None
        if self.store is None or key is None:
            return self.make(Encoded.of_file(self.paths[index]))
        kept = self.store.get(key)
        if kept is None:
            kept = self.make(Encoded.of_file(self.paths[index]))
            self.store.put(key, kept)
        return kept


@dataclass(frozen=True)
class Shrunk:
    """The picture, its short side brought down to ``side`` pixels where it is longer."""

    side: int | None

    def __call__(self, image: Encoded) -> Pixels:
        size = image.reducible if self.side is not None else None
        factor = 1 if size is None else reduction(min(size), self.side or 1)
        pixels = image.pixels(factor)
        rows, columns = size or pixels.shape[:2]
        short = min(rows, columns)
        if self.side is None or short <= self.side:
            return pixels
        height, width = (round(length * self.side / short) for length in (rows, columns))
        if factor == 1:
            return area_resized(pixels, height, width)
        down, across = image.lead(factor)
        box = down / factor, across / factor, (down + rows) / factor, (across + columns) / factor
        return filtered(pixels, height, width, "hamming", box)


class Keep:
    """A run's choice of what to keep, made into readers for its splits.

    Args:
        choice: ``data.cache``.
        shrink: ``data.shrink``.
        processes: batches are fetched by worker processes.
        writes: False only tells what a run would do.
        evaluates: nothing is trained: each split is read once at most, and the training images are not read.

    Attributes:
        plan: for each split, what is kept where, in words.
    """

    def __init__(
        self, choice: CacheChoice, shrink: int | None, *, processes: bool, writes: bool, evaluates: bool = False
    ) -> None:
        self.section = choice if isinstance(choice, CacheSection) else None
        self.kind = self.section.keep if self.section is not None else str(choice)
        self.shrink, self.processes, self.writes, self.evaluates = shrink, processes, writes, evaluates
        self.plan: dict[str, str] = {}
        if self.kind == "ram" and processes:
            raise VtkError(
                "worker processes do not share memory, where decoded pictures were to be kept",
                place="data.cache",
                hint="set loader.kind to thread, or data.cache to disk",
                code=ExitCode.RECIPE,
            )
        self._left = self._room()

    def reader(self, split: str, paths: Sequence[str], evaluated: Preprocess | None = None) -> Reader | None:
        """The reader of a split, or None where files are best read as they are.

        Args:
            split: what the plan calls it.
            paths: its files.
            evaluated: the preprocessing, where it is all that happens to these pictures.
        """
        make: Callable[[Encoded], Pixels] = Shrunk(self.shrink) if evaluated is None else evaluated
        kind = self._kind_of(split)
        each = _mean_bytes(paths, make) if kind != "off" and paths else 0.0
        total = each * len(paths)
        if kind == "auto":
            kind = "ram" if each <= _LARGE and total <= SMALL_SET else "off"
        if kind == "off" or not total:
            return Reader(paths, make) if evaluated is None and self.shrink is not None else None
        if self.kind == "auto" and (self.processes or total > self._left):
            why = "worker processes share no memory" if self.processes else "too little memory is free"
            self.plan[split] = f"not kept, for {why}"
            return Reader(paths, make)
        share = min(1.0, self._left / total)
        self._left -= share * total
        store, place = self._store(paths, kind)
        self.plan[split] = f"{_amount(share * total)} {place}" + ("" if share == 1 else f", {share:.0%} of the images")
        form = f"shrink {self.shrink}" if evaluated is None else json.dumps(evaluated.to_json(), sort_keys=True)
        keys = PlaceKeys(len(paths), share) if kind == "ram" else PictureKeys(paths, form, share)
        return Reader(paths, make, store, keys)

    def arrays(self, split: str) -> None:
        """A split whose pictures come in memory.

        Raises:
            VtkError: they were to be shrunk.
        """
        if self.shrink is not None:
            raise VtkError(
                "images that come in memory are not read from files, where they could be shrunk",
                place="data.shrink",
                hint="leave data.shrink out",
                code=ExitCode.RECIPE,
            )
        if self.kind in ("ram", "disk"):
            self.plan[split] = "in memory as they come"

    def _kind_of(self, split: str) -> str:
        """What is read once in this process is of use to later ones alone, which memory does not reach."""
        if self.evaluates and split == "train":
            return "off"
        return self.kind if self.kind == "disk" or not (self.evaluates or split == "test") else "off"

    def _room(self) -> float:
        if self.section is not None and self.section.gigabytes is not None:
            return self.section.gigabytes * 1e9
        if self.kind == "disk":
            return _DISK_LIMIT
        return free_memory() / 2

    def _store(self, paths: Sequence[str], kind: str) -> tuple[Store | None, str]:
        if kind == "ram":
            return MemoryStore(), "in memory"
        folder = cache_folder(self.section.folder if self.section is not None else None)
        group = own_group(folder, os.path.dirname(os.path.abspath(paths[0])))
        if not self.writes:
            require_cache(folder, group)
            return None, f"on disk, in {folder}"
        with step("looking through the cache", None, "images"):
            kept = trim(folder, group, int(self._room()))
        free = shutil.disk_usage(folder).free
        return DiskStore(folder / group), f"on disk, in {folder / group} ({_amount(kept)} there, {_amount(free)} free)"


def _mean_bytes(paths: Sequence[str], make: Callable[[Encoded], Pixels]) -> float:
    """Bytes of a kept picture, judged by a few spread over the split."""
    if isinstance(make, Preprocess):
        return float(np.prod(make.shape))
    sizes = []
    for place in np.linspace(0, len(paths) - 1, min(_LOOKED_AT, len(paths))).astype(int).tolist():
        try:
            image = Encoded.of_file(paths[place])
            size = image.container.size or make(image).shape[1::-1]
        except ImageError:
            continue  # told where it is read
        side = getattr(make, "side", None)
        scale = 1.0 if side is None else min(1.0, side / min(size))
        sizes.append(3 * size[0] * size[1] * scale * scale)
    return float(np.mean(sizes)) if sizes else 0.0


def _amount(count: float) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"


def identity(image: Any, _index: int) -> Any:
    """The transform of pictures that are kept as the model sees them."""
    return image
