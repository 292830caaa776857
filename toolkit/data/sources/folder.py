"""One sub-folder per class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from toolkit.data.io.path_table import Names
from toolkit.data.io.scan import Identity, scan
from toolkit.data.sources.index import Found, ImageFiles
from toolkit.data.sources.layout import SPLIT_NAMES, Layout, class_folders, find_layout
from toolkit.data.sources.missing import existing_folder, listed
from toolkit.data.sources.source import Source
from toolkit.errors import VtkError

if TYPE_CHECKING:
    from toolkit.types.survey import Survey

__all__ = ["SPLIT_NAMES", "Folder"]


class Folder(Source):
    """One sub-folder per class, e.g. ``cats/1.jpg``; or ``train``, ``val`` and ``test`` folders of that form."""

    name: Literal["folder"]
    root: str = Field(description="The folder; relative to the working directory.")
    obtain: str | None = Field(None, description="How to get the data; shown where they are missing.")

    def load(self) -> Found:
        root = existing_folder(self.root, self.obtain)
        layout = find_layout(root)
        barred = layout.barred()
        parts = {split: _classes_in(layout, folder, barred, self.counts) for split, folder in layout.parts.items()}
        parts["train"] = replace(parts["train"], ignored=(*layout.left_out, *parts["train"].ignored))
        return Found.aligned(parts["train"], parts.get("val"), parts.get("test"), chosen=self._chosen)

    def survey(self) -> Survey:
        """Every picture there is, whatever :meth:`load` would object to."""
        from toolkit.data.sources.listing import survey_folders

        root = existing_folder(self.root, self.obtain)
        return survey_folders(find_layout(root), self.counts)


def _classes_in(
    layout: Layout, inside: str, barred: dict[Identity, str], takes_part: Callable[[str], bool]
) -> ImageFiles:
    """The classes of one split; its paths start from the root whatever the split, so that they stay distinct."""
    top = layout.root / inside
    prefix = "" if inside == "." else f"{inside}/"
    loose, litter = scan(top, nested=False)
    ignored = [(prefix + path, "in no class folder") for path in loose]
    ignored += [(prefix + path, "not a picture") for path in litter]
    paths: list[Names] = []  # a class at a time, so that never all of them are strings at once
    classes, counts = [], []
    for found in class_folders(layout, inside, barred):
        ignored += [(path, "not a picture") for path in found.others] + found.left_out
        if not found.is_runs:
            paths.append(Names(found.paths))
            classes.append(found.name)
            counts.append(len(found.paths))
    _require_classes(top, classes, loose)
    others = [path for path, why in ignored if why == "not a picture"]
    _require_pictures(
        top, [name for name, count in zip(classes, counts, strict=True) if not count and takes_part(name)], others
    )
    targets = np.repeat(np.arange(len(classes), dtype=np.int64), counts)
    return ImageFiles(layout.root, Names.joined(paths), targets, tuple(classes), tuple(ignored))


def _require_classes(top: Path, classes: list[str], loose: list[str]) -> None:
    if not classes:
        inside = f"{len(loose)} pictures lie in it, but" if loose else "it holds"
        raise VtkError(
            f"{inside} no class folders",
            place=str(top),
            hint="make one sub-folder per class; for labels in the file names use the source `pattern`",
        )


def _require_pictures(top: Path, empty: list[str], others: list[str]) -> None:
    if empty:
        held = f"; these files are not pictures: {listed(others)}" if others else ""
        raise VtkError(
            f"no pictures in the class folder{'s' * (len(empty) > 1)} {listed(empty)}{held}",
            place=str(top),
            hint="each visible sub-folder is a class: fill it, remove it, hide it with a leading dot, or name the "
            "classes that take part: data.classes",
        )
