"""Names that are the same to readers and differ in bytes: é as one character (NFC) or as e and an accent (NFD)."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

__all__ = ["LabelName", "PathsOnDisk", "composed"]


def composed(name: str) -> str:
    """The name in Unicode's composed form (NFC), in which labels are compared."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


LabelName = Annotated[str, AfterValidator(composed)]
"""A class or label that a recipe names."""


class PathsOnDisk:
    """Finds the form in which the file system keeps a path that a table has in another.

    A table written on one system often names files that another has unpacked in the other form. A path that is there as
    it is stays so; one that is there in no form stays too, to be reported by whoever opens it.

    Args:
        root: the folder that relative paths start from.
    """

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._names: dict[str, frozenset[str]] = {}
        self._composed: dict[str, dict[str, str]] = {}

    def __call__(self, path: str) -> str:
        """The path as it is on disk."""
        if path.isascii():
            return path
        folder, slash, name = path.rpartition("/")
        folder = self(folder)
        place = os.path.join(self._root, folder or slash)
        if name not in self._listed(place):
            if place not in self._composed:
                self._composed[place] = {composed(entry): entry for entry in self._listed(place)}
            name = self._composed[place].get(composed(name), name)
        return folder + slash + name

    def _listed(self, folder: str) -> frozenset[str]:
        if folder not in self._names:
            try:
                self._names[folder] = frozenset(os.listdir(folder))
            except OSError:
                self._names[folder] = frozenset()
        return self._names[folder]
