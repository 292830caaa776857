"""Listing data sets that a run would refuse, so that a report can name all of their faults at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from toolkit.data.io.path_table import Locations, Names
from toolkit.data.io.scan import scan
from toolkit.data.sources.layout import Layout, class_folders
from toolkit.types.finding import Case, Finding, counted
from toolkit.types.survey import Survey, SurveyPart

__all__ = ["missing_rows", "survey_folders", "unlabelled", "unlisted"]

_UNREAD_NAMES = "heic heif jxl svg psd dng cr2 cr3 nef arw orf rw2 raf exr tga ico"
_UNREAD = frozenset(f".{name}" for name in _UNREAD_NAMES.split())
"""What names of pictures end in that are kept in ways that the decoder does not know."""


def survey_folders(layout: Layout, counts: Callable[[str], bool] = lambda _name: True) -> Survey:
    """A folder with one sub-folder for each class, or with split folders of that form.

    Args:
        counts: whether a class takes part; nothing is wrong with one that does not.
    """
    root, barred = layout.root, layout.barred()
    parts: dict[str, SurveyPart] = {}
    loose: list[str] = []
    others: list[str] = []
    empty: list[str] = []
    left_out = list(layout.left_out)
    for split, folder in layout.parts.items():
        top, prefix = root / folder, "" if folder == "." else f"{folder}/"
        beside, litter = scan(top, nested=False)
        loose += [prefix + path for path in beside]
        others += [prefix + path for path in litter]
        names: list[str] = []
        labels: list[tuple[str, ...]] = []
        for found in class_folders(layout, folder, barred):
            others += found.others if counts(found.name) else []
            names += found.paths
            labels += [(found.name,)] * len(found.paths)
            left_out += found.left_out
            if not found.paths and not found.is_runs and counts(found.name):
                empty.append(prefix + found.name)
        classes = tuple(dict.fromkeys(label for (label,) in labels))
        held = Names(names)
        parts[split] = SurveyPart(held, labels, classes, files=Locations(root, held))
    if layout.splits:
        beside, litter = scan(root, nested=False)
        loose, others = beside + loose, litter + others
    faults = [*_empty_folders(empty), *unlabelled(loose, _IN_NO_FOLDER), *_left_out(left_out), *_no_pictures(others)]
    return Survey(str(root), parts, faults)


_IN_NO_FOLDER = "They lie in no class folder and are left out. Move them into one, or delete them."


def unlabelled(names: Sequence[str], remedy: str) -> list[Finding]:
    """Pictures without a label."""
    if not names:
        return []
    message = counted(len(names), "picture has no label", "pictures have no label")
    return [Finding("unlabelled", "warning", message, remedy, _cases(names))]


def missing_rows(table: Path, rows: Sequence[tuple[int, str]]) -> list[Finding]:
    """Lines of a table, each with its number and path, whose files are not there."""
    if not rows:
        return []
    message = counted(len(rows), "file of the table is not there", "files of the table are not there")
    cases = tuple(Case((path,), f"{table}, line {line}") for line, path in rows)
    return [Finding("missing-file", "error", message, "Bring them back, or take their lines out of the table.", cases)]


def unlisted(root: Path, listed: Iterable[str]) -> list[Finding]:
    """Pictures below a table's folder that no line names."""
    named = {os.path.relpath(path, root) if os.path.isabs(path) else os.path.normpath(path) for path in listed}
    pictures, _ = scan(root)
    return unlabelled(
        [path for path in pictures if os.path.normpath(path) not in named],
        "They lie beside the table, and no line of it names them. Add lines for them, or move them elsewhere.",
    )


def _left_out(folders: Sequence[tuple[str, str]]) -> list[Finding]:
    """Folders that are no part of the data set, though they lie in it."""
    if not folders:
        return []
    message = counted(len(folders), "folder is left out", "folders are left out")
    remedy = "Nothing in them is used. If they belong to the data, put them where a class or a split is looked for."
    cases = tuple(Case((name,), reason) for name, reason in folders)
    return [Finding("folder-left-out", "warning", message, remedy, cases)]


def _empty_folders(names: Sequence[str]) -> list[Finding]:
    if not names:
        return []
    message = counted(len(names), "class folder holds no picture", "class folders hold no picture")
    remedy = "Fill it, remove it, or hide it with a leading dot: each visible folder is a class."
    return [Finding("empty-class-folder", "error", message, remedy, _cases(names))]


def _no_pictures(names: Sequence[str]) -> list[Finding]:
    faults = []
    unread = [name for name in names if os.path.splitext(name)[1].lower() in _UNREAD]
    others = [name for name in names if name not in set(unread)]
    if unread:
        message = counted(len(unread), "picture is", "pictures are") + " in a format that is not read here"
        remedy = "They are left out. Convert them, e.g. to JPEG or PNG."
        faults.append(Finding("unread-format", "warning", message, remedy, _cases(unread)))
    if others:
        message = counted(len(others), "file is no picture by its name", "files are no pictures by their names")
        remedy = "They are left out. Nothing needs to be done."
        faults.append(Finding("other-file", "note", message, remedy, _cases(others)))
    return faults


def _cases(names: Sequence[str]) -> tuple[Case, ...]:
    return tuple(Case((name,)) for name in names)
