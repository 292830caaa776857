"""Data that the toolkit draws itself, for demos and tests: nothing to download, the same on every machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from toolkit import ExitCode, VtkError
from toolkit.bounds import Seed
from toolkit.data import Found, ImageArrays, ImageFiles, Source
from toolkit.system import cv2, new_directory, user_cache
from vtk_classification.drawn.creatures import KINDS, draw_creature
from vtk_classification.drawn.shapes import SHAPES, draw_shape

__all__ = ["Drawn"]

# Part of the cache's name: raise it when the drawings change.
_VERSION = 1


class Drawn(Source):
    """Pictures drawn by the toolkit itself.

    ``creatures`` are cats and dogs as JPEGs of 200 to 1024 pixels a side, named as Kaggle names them, in one folder of
    the user's cache. ``shapes`` are ten kinds of 32 × 32 colour pictures in memory.
    """

    name: Literal["drawn"]
    kind: Literal["creatures", "shapes"] = Field("creatures", description="What is drawn.")
    count: Annotated[int, Field(ge=20, le=100_000)] = Field(800, description="Pictures, all classes together.")
    test_count: Annotated[int, Field(ge=0, le=100_000)] = Field(0, description="Further pictures, as a test split.")
    seed: Seed = Field(0, description="Equal seeds draw equal pictures.")

    def load(self) -> Found:
        if self.kind == "shapes":
            test = self._shapes(self.count, self.count + self.test_count, "test") if self.test_count else None
            return Found.aligned(self._shapes(0, self.count, "train"), None, test)
        folder = self.folder()
        names = [_file_name(number) for number in range(self.count + self.test_count)]
        if not self.is_drawn():
            _draw_folder(folder, names, self.seed)
        test_files = _labelled(folder, names[self.count :]) if self.test_count else None
        return Found.aligned(_labelled(folder, names[: self.count]), None, test_files)

    def folder(self) -> Path:
        """Where the creatures are kept."""
        total = self.count + self.test_count
        return user_cache() / "drawn" / f"creatures-v{_VERSION}-{total}-seed{self.seed}"

    def is_drawn(self) -> bool:
        """Whether nothing has to be drawn any more. Shapes are drawn anew each time, in less than a second."""
        if self.kind == "shapes":
            return True
        folder = self.folder()
        return _is_whole(folder, [_file_name(number) for number in range(self.count + self.test_count)])

    def _shapes(self, first: int, last: int, part: str) -> ImageArrays:
        kinds = tuple(SHAPES)
        targets = np.arange(first, last, dtype=np.int64) % len(kinds)
        images = [
            draw_shape(kinds[target], np.random.default_rng([self.seed, 1, number]))
            for number, target in enumerate(targets.tolist(), first)
        ]
        return ImageArrays(np.stack(images), targets, kinds, part)


def _is_whole(folder: Path, names: Iterable[str]) -> bool:
    """Whether a folder has all of the pictures; what a file manager leaves there does no harm."""
    return folder.is_dir() and set(os.listdir(folder)).issuperset(names)


def _file_name(number: int) -> str:
    return f"{KINDS[number % 2]}.{number // 2}.jpg"


def _labelled(folder: Path, names: list[str]) -> ImageFiles:
    targets = np.array([KINDS.index("cat" if name.startswith("cat") else "dog") for name in names], dtype=np.int64)
    return ImageFiles(folder, tuple(names), targets, KINDS)


def _draw_folder(folder: Path, names: list[str], seed: int) -> None:
    """Draws beside the final place and moves the whole folder there: it is complete or absent, whoever else draws."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        workplace = new_directory(folder)
    except OSError as error:
        raise _cannot_keep(folder.parent, error) from error
    try:
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            list(pool.map(lambda number: _draw_file(workplace / names[number], number, seed), range(len(names))))
        _move(workplace, folder)
    except OSError as error:
        raise _cannot_keep(folder.parent, error) from error
    finally:
        shutil.rmtree(workplace, ignore_errors=True)


def _draw_file(file: Path, number: int, seed: int) -> None:
    rng = np.random.default_rng([seed, 0, number])
    picture = draw_creature(KINDS[number % 2], rng)
    quality = int(rng.integers(84, 95))
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    file.write_bytes(encoded.tobytes())


def _move(workplace: Path, folder: Path) -> None:
    if _is_whole(folder, os.listdir(workplace)):
        return  # another run was faster
    if folder.exists():  # files were lost from it
        shutil.rmtree(folder)
    try:
        os.rename(workplace, folder)
    except OSError:
        if not folder.is_dir():
            raise


def _cannot_keep(place: Path, error: OSError) -> VtkError:
    return VtkError(
        f"the drawn pictures cannot be kept here: {error.strerror}",
        place=str(place),
        hint="set XDG_CACHE_HOME to a folder that can be written to",
        code=ExitCode.CANNOT_CREATE,
    )
