"""A cut of which a limit leaves little, made without reading what it leaves out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from toolkit.data.sources.index import Found, ImageArrays, Index, concatenated
from toolkit.data.splits.groups import Duplicates, copies
from toolkit.data.splits.splits import SplitSection, held_out, split_found, warn_of_copies
from toolkit.data.splits.subsample import PARTS, limited, limited_places

if TYPE_CHECKING:
    from toolkit.data.sources.source import Source

__all__ = ["split_within"]

Indices = npt.NDArray[np.int64]
Banned = dict[str, npt.NDArray[np.bool_]]

_ROUNDS = 8


def split_within(
    found: Found,
    section: SplitSection,
    limit: int,
    seed: int,
    *,
    source: Source | None = None,
    say: Callable[[str], None] = lambda _line: None,
) -> Found:
    """At most ``limit`` samples of each split, and no picture in two of those that the recipe cuts.

    The cut is made by labels and groups alone, the limit is taken, and only what is left is compared. A copy of a
    training picture in another split makes way for another picture of its class there. Where the data have no copies,
    this is what :func:`~toolkit.data.splits.splits.split_found` and then
    :func:`~toolkit.data.splits.subsample.limited` give.

    Raises:
        VtkError: as these two do.
    """
    if section.manifest is not None or isinstance(found.train, ImageArrays):
        return limited(split_found(found, section, seed, source=source, say=say), limit, seed)
    cut = split_found(found, section, seed, source=source, compare=False, say=say)
    parts: dict[str, Index] = {name: index for name in PARTS if (index := getattr(cut, name)) is not None}
    own = [name for name in parts if name == "train" or name in held_out(found, section)]
    kept = _without_copies({name: parts[name] for name in own}, limit, seed, section.duplicates)
    if kept is None:
        return limited(split_found(found, section, seed, source=source, say=say), limit, seed)
    kept |= {name: _taken(index, limit, seed, name) for name, index in parts.items() if name not in own}
    given = {name: index for name, index in kept.items() if getattr(found, name) is not None}
    warn_of_copies(Found(**given), section.duplicates, say)
    return Found(**kept)


def _without_copies(
    parts: Mapping[str, Index], limit: int, seed: int, duplicates: Duplicates
) -> dict[str, Index] | None:
    """What the limit leaves of each split, no picture in two of them; None where a split would lose a label thereby."""
    banned = {name: np.zeros(len(index), bool) for name, index in parts.items()}
    for _ in range(_ROUNDS):
        chosen = {name: _places(index, limit, seed, name, banned[name]) for name, index in parts.items()}
        kept = {name: parts[name].take(places) for name, places in chosen.items()}
        if not all(_shows_as_much(kept[name], parts[name]) for name in parts):
            return None
        if not _ban_copies(kept, chosen, banned, duplicates):
            return kept
    return None


def _ban_copies(
    kept: Mapping[str, Index], chosen: Mapping[str, Indices], banned: Banned, duplicates: Duplicates
) -> bool:
    """Bans from each split what an earlier one has already; whether there was any."""
    if len(kept) < 2:
        return False
    labels = copies(concatenated(list(kept.values())), duplicates)
    part = np.repeat(np.arange(len(kept)), [len(index) for index in kept.values()])
    torn = part[labels] != part
    start = 0
    for name, places in chosen.items():
        banned[name][places[torn[start : start + len(places)]]] = True
        start += len(places)
    return bool(torn.any())


def _places(index: Index, limit: int, seed: int, part: str, without: npt.NDArray[np.bool_] | None) -> Indices:
    chosen = limited_places(index, limit, seed, part, without)
    return np.arange(len(index)) if chosen is None else chosen


def _taken(index: Index, limit: int, seed: int, part: str) -> Index:
    return index.take(_places(index, limit, seed, part, None))


def _shows_as_much(kept: Index, whole: Index) -> bool:
    """Whether no label of the whole split is lost."""
    assert kept.targets is not None
    assert whole.targets is not None
    if whole.targets.ndim == 1:
        return len(np.unique(kept.targets)) == len(np.unique(whole.targets))
    return bool((kept.targets.any(axis=0) == whole.targets.any(axis=0)).all())
