"""One sub-folder per class."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from toolkit.data.names import Names
from toolkit.data.sources.index import Found, ImageFiles, Source, natural_key
from toolkit.data.sources.missing import existing_folder, listed
from toolkit.data.sources.scan import scan, visible_folders
from toolkit.errors import VtkError
from toolkit.progress import step

if TYPE_CHECKING:
    from toolkit.data.report.survey import Survey

__all__ = ["SPLIT_NAMES", "Folder"]

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
"""How folders and CSV columns name the three splits, lower case."""


class Folder(Source):
    """One sub-folder per class, e.g. ``cats/1.jpg``; or ``train``, ``val`` and ``test`` folders of that form."""

    name: Literal["folder"]
    root: str = Field(description="The folder; relative to the working directory.")
    obtain: str | None = Field(None, description="How to get the data; shown where they are missing.")

    def load(self) -> Found:
        root = existing_folder(self.root, self.obtain)
        splits = _split_folders(root)
        if splits is None:
            return Found.aligned(_classes_in(root, "."))
        parts = {split: _classes_in(root, folder) for split, folder in splits.items()}
        return Found.aligned(parts["train"], parts.get("val"), parts.get("test"))

    def survey(self) -> Survey:
        """Every picture there is, whatever :meth:`load` would object to."""
        from toolkit.data.report.listing import survey_folders

        root = existing_folder(self.root, self.obtain)
        return survey_folders(root, _split_folders(root))


def _split_folders(root: Path) -> dict[str, str] | None:
    """Split → sub-folder where every visible sub-folder is named like a split and training has class folders."""
    names = visible_folders(root)
    splits = {SPLIT_NAMES.get(name.lower(), ""): name for name in names}
    if "" in splits or "train" not in splits or not visible_folders(root / splits["train"]):
        return None
    if len(splits) < len(names):
        raise VtkError(f"two folders stand for the same split: {listed(sorted(names))}", place=str(root))
    return splits


def _classes_in(root: Path, inside: str) -> ImageFiles:
    """The classes of one split; its paths start from ``root`` whatever the split, so that they stay distinct."""
    top = root / inside
    prefix = "" if inside == "." else f"{inside}/"
    loose, litter = scan(top, nested=False)
    classes = sorted(visible_folders(top), key=natural_key)
    ignored = [(prefix + path, "in no class folder") for path in loose]
    ignored += [(prefix + path, "not a picture") for path in litter]
    paths: list[Names] = []  # a class at a time, so that never all of them are strings at once
    counts: list[int] = []
    with step("listing class folders", len(classes), "folders") as listing:
        for name in classes:
            pictures, others = scan(top / name)
            paths.append(Names([f"{prefix}{name}/{path}" for path in pictures]))
            ignored += [(f"{prefix}{name}/{path}", "not a picture") for path in others]
            counts.append(len(pictures))
            listing.more()
    _require_pictures(top, classes, counts, loose, [path for path, why in ignored if why == "not a picture"])
    targets = np.repeat(np.arange(len(classes), dtype=np.int64), counts)
    return ImageFiles(root, Names.joined(paths), targets, tuple(classes), tuple(ignored))


def _require_pictures(top: Path, classes: list[str], counts: list[int], loose: list[str], others: list[str]) -> None:
    if not classes:
        inside = f"{len(loose)} pictures lie in it, but" if loose else "it holds"
        raise VtkError(
            f"{inside} no class folders",
            place=str(top),
            hint="make one sub-folder per class; for labels in the file names use the source `pattern`",
        )
    empty = [name for name, count in zip(classes, counts, strict=True) if not count]
    if empty:
        held = f"; these files are not pictures: {listed(others)}" if others else ""
        raise VtkError(
            f"no pictures in the class folder{'s' * (len(empty) > 1)} {listed(empty)}{held}",
            place=str(top),
            hint="each visible sub-folder is a class: fill it, remove it, or hide it with a leading dot",
        )
