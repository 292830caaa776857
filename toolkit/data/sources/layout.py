"""How a folder of class folders is laid out: which of its folders are classes, which are splits, which are neither."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from toolkit.data.io.scan import RUN, Identity, identity, look_through, scan, visible_folders
from toolkit.data.sources.index import natural_key
from toolkit.data.sources.missing import listed
from toolkit.errors import VtkError
from toolkit.system.progress import step

__all__ = ["SPLIT_NAMES", "ClassFolder", "Layout", "class_folders", "find_layout"]

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

_BESIDE = "beside the splits"
_WORDS = re.compile(r"[^0-9a-z]+")


@dataclass(frozen=True)
class Layout:
    """Where the classes of a data set lie.

    Args:
        root: the folder.
        splits: split → folder below ``root`` that holds its class folders; None where ``root`` itself holds them.
        left_out: folders that are neither, each with the reason.
    """

    root: Path
    splits: dict[str, str] | None = None
    left_out: tuple[tuple[str, str], ...] = ()

    @property
    def parts(self) -> dict[str, str]:
        """Split → folder below ``root``, ``.`` for ``root`` itself."""
        return self.splits or {"train": "."}

    def barred(self) -> dict[Identity, str]:
        """What no class may reach through a link: the folder, those around it, and every class's own folder."""
        found = {identity(place): str(place) for place in (self.root.resolve(), *self.root.resolve().parents)}
        for inside in self.parts.values():
            top = self.root / inside
            found |= {identity(place): str(place) for place in (top, *(top / name for name in visible_folders(top)))}
        return found


def find_layout(root: Path) -> Layout:
    """Class folders, or ``train`` with ``val`` or ``test`` of that form, or folders called like them: ``seg_train``.

    Raises:
        VtkError: it cannot be told whether a folder called ``train`` is a class, or two folders stand for one split.
    """
    names = visible_folders(root)
    held = {name: place for name in names if (place := _classes_below(root, name)) is not None}
    splits: dict[str, list[str]] = {}
    for name in held:
        if split := _split_of(name, exact=name.lower() in SPLIT_NAMES):
            splits.setdefault(split, []).append(name)
    others = [name for name in names if not any(name in found for found in splits.values())]
    if "train" not in splits:
        _require_no_lone_splits(root, names, [name for name in held if name.lower() in SPLIT_NAMES])
        return Layout(root)
    if len(splits) == 1 and any(name.lower() not in SPLIT_NAMES for name in others):
        return _only_train(root, splits["train"], others)
    double = [name for found in splits.values() if len(found) > 1 for name in found]
    if double:
        raise VtkError(f"two folders stand for the same split: {listed(sorted(double))}", place=str(root))
    return Layout(
        root, {split: held[name] for split, (name,) in splits.items()}, tuple((f"{n}/", _BESIDE) for n in others)
    )


def _require_no_lone_splits(root: Path, names: list[str], held: list[str]) -> None:
    """Folders that are all called like splits are splits, though what makes them usable is missing."""
    if len(names) < 2 - bool(held) or not all(name.lower() in SPLIT_NAMES for name in names):
        return
    hint = "if they are classes all the same, give a table of pictures and labels: the source `csv`"
    if held:
        what = f"there is no training split with class folders, only {listed(held)}"
        hint = f"to train on one of them, name it as the folder: {root / held[0]}; {hint}"
    else:
        what = f"{listed(names)} are called like splits, and hold no class folders"
        hint = f"make one sub-folder per class in each; for labels in the file names use the source `pattern`; {hint}"
    raise VtkError(what, place=str(root), hint=hint)


def _only_train(root: Path, train: list[str], others: list[str]) -> Layout:
    exact = [name for name in train if name.lower() in SPLIT_NAMES]
    if not exact or scan(root / exact[0], nested=False)[0]:
        return Layout(root)  # a class, such as `express train`, or one with pictures straight in it
    raise VtkError(
        f"is {train[0]!r} a split or a class? It holds class folders, and beside it lies {listed(others)}",
        place=str(root),
        hint=f"if it is the training split, name it as the folder: {root / train[0]}, or hide the others by a leading "
        "dot; if it is a class, put its pictures straight into it",
    )


def _split_of(name: str, *, exact: bool) -> str | None:
    """The split that a folder's name stands for, by the whole of it or by its first or last word."""
    if exact:
        return SPLIT_NAMES[name.lower()]
    words = _WORDS.split(name.lower())
    return SPLIT_NAMES.get(words[-1]) or SPLIT_NAMES.get(words[0])


def _classes_below(root: Path, name: str) -> str | None:
    """The folder at or below a split's that holds its class folders; None where ``name`` is no split's.

    An archive unpacked into a folder of its own name gives ``seg_train/seg_train/CLASS``.
    """
    exact = name.lower() in SPLIT_NAMES
    if _split_of(name, exact=exact) is None:
        return None
    folders = visible_folders(root / name)
    if not folders or (not exact and scan(root / name, nested=False)[0]):
        return None
    if folders == [name]:
        return f"{name}/{name}" if visible_folders(root / name / name) else None
    return name


@dataclass(frozen=True)
class ClassFolder:
    """A class of one split.

    Args:
        name: the class, in Unicode's composed form (NFC), whatever form the file system keeps.
        paths: its pictures, POSIX paths relative to the data set's folder.
        others: its other files, likewise.
        left_out: folders in it that were not entered, each with the reason.
    """

    name: str
    paths: list[str]
    others: list[str]
    left_out: list[tuple[str, str]]

    @property
    def is_runs(self) -> bool:
        """Whether it holds nothing but the directories of runs, and so is no class."""
        return not self.paths and any(reason == RUN for _, reason in self.left_out)


def class_folders(layout: Layout, inside: str, barred: dict[Identity, str]) -> Iterator[ClassFolder]:
    """Each class folder's content, in natural order, a class at a time.

    Args:
        inside: the split's folder, of ``layout.parts``.
        barred: of :meth:`Layout.barred`; what is entered is added, so that no folder counts for two classes.

    Raises:
        VtkError: two folders whose names differ in their Unicode form only.
    """
    top, prefix = layout.root / inside, "" if inside == "." else f"{inside}/"
    folders = sorted(visible_folders(top), key=natural_key)
    _require_one_form(top, folders)
    _require_no_twins(top, folders)
    with step("listing class folders", len(folders), "folders") as listing:
        for folder in folders:
            start = f"{prefix}{folder}/"
            found = look_through(top / folder, barred)
            left_out = [(f"{start}{path}".rstrip("/") + "/", reason) for path, reason in found.left_out]
            paths, others = ([start + path for path in held] for held in (found.pictures, found.others))
            yield ClassFolder(unicodedata.normalize("NFC", folder), paths, others, left_out)
            listing.more()


def _require_no_twins(top: Path, folders: list[str]) -> None:
    """A class folder that is a link to another's would have its pictures trained as both."""
    first: dict[Identity, str] = {}
    for folder in folders:
        before = first.setdefault(identity(top / folder), folder)
        if before != folder:
            raise VtkError(
                f"the class folders {before!r} and {folder!r} are one folder, by a link: each picture would be in both",
                place=str(top),
                hint="remove the link, or hide it with a leading dot",
            )


def _require_one_form(top: Path, folders: list[str]) -> None:
    forms: dict[str, str] = {}
    for folder in folders:
        name = unicodedata.normalize("NFC", folder)
        if forms.setdefault(name, folder) != folder:
            raise VtkError(
                f"two class folders are called {name!r}, in two Unicode forms (NFC and NFD)",
                place=str(top),
                hint="move the pictures of one into the other",
            )
