"""Many names in little room: the paths of a million files as two arrays instead of a million objects."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Self, overload

import numpy as np
import numpy.typing as npt

__all__ = ["Locations", "Names"]

Indices = npt.NDArray[np.int64]
_AT_ONCE = 4096
_CODING, _SURROGATES = "utf-8", "surrogatepass"  # gives back every string, names that are no UTF-8 included


class Names(Sequence[str]):
    """Strings, not to be changed: their UTF-8 in one array and where each ends in another (8 bytes a name).

    A string is made anew each time it is asked for. Equal to any list or tuple of the same strings.

    Args:
        values: the strings.
    """

    __slots__ = ("_ends", "_text")

    def __init__(self, values: Iterable[str] = ()) -> None:
        strings = values if isinstance(values, list) else list(values)
        encoded = [value.encode(_CODING, _SURROGATES) for value in strings]
        lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
        self._set(np.frombuffer(b"".join(encoded), np.uint8), lengths)

    def _set(self, text: npt.NDArray[np.uint8], lengths: Indices) -> None:
        self._text = text
        self._ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])

    @classmethod
    def of(cls, values: Iterable[str]) -> Names:
        """The strings; as they are if they are names already."""
        return values if isinstance(values, Names) else cls(values)

    @classmethod
    def joined(cls, parts: Sequence[Names]) -> Self:
        """All names of several, one after another."""
        self = cls.__new__(cls)
        lengths = [np.diff(part._ends) for part in parts]
        texts = [part._text for part in parts]
        none: npt.NDArray[Any] = np.zeros(0, np.int64)
        self._set(np.concatenate([*texts, none.astype(np.uint8)]), np.concatenate([*lengths, none]))
        return self

    def take(self, indices: Sequence[int] | Indices) -> Names:
        """The names at some positions, in that order."""
        chosen = np.asarray(indices, dtype=np.int64)
        chosen = np.where(chosen < 0, chosen + len(self), chosen)
        if len(chosen) and not 0 <= int(chosen.min()) <= int(chosen.max()) < len(self):
            raise IndexError("no such name")
        taken = Names.__new__(Names)
        starts, lengths = self._ends[chosen], self._ends[chosen + 1] - self._ends[chosen]
        pieces = [self._gathered(starts[i : i + _AT_ONCE], lengths[i : i + _AT_ONCE]) for i in _portions(len(chosen))]
        taken._set(np.concatenate(pieces) if pieces else np.zeros(0, np.uint8), lengths)
        return taken

    def _gathered(self, starts: Indices, lengths: Indices) -> npt.NDArray[np.uint8]:
        before = np.cumsum(lengths) - lengths
        gathered: npt.NDArray[np.uint8] = self._text[
            np.repeat(starts - before, lengths) + np.arange(int(lengths.sum()), dtype=np.int64)
        ]
        return gathered

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> Names: ...
    def __getitem__(self, place: int | slice) -> str | Names:
        if isinstance(place, slice):
            return self.take(np.arange(len(self))[place])
        count = len(self)
        at = int(place) + count if place < 0 else int(place)
        if not 0 <= at < count:
            raise IndexError("no such name")
        return self._text[self._ends[at] : self._ends[at + 1]].tobytes().decode(_CODING, _SURROGATES)

    def __iter__(self) -> Iterator[str]:
        for name in self.encoded():
            yield name.decode(_CODING, _SURROGATES)

    def encoded(self) -> Iterator[bytes]:
        """The names in UTF-8."""
        for start in _portions(len(self)):
            ends = self._ends[start : start + _AT_ONCE + 1]
            text = self._text[ends[0] : ends[-1]].tobytes()
            bounds = (ends - ends[0]).tolist()
            for a, b in pairwise(bounds):
                yield text[a:b]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Names):
            return np.array_equal(self._ends, other._ends) and np.array_equal(self._text, other._text)
        if isinstance(other, list | tuple):
            return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self._text.tobytes(), self._ends)

    def __repr__(self) -> str:
        more = f", and {len(self) - 3:,} more" if len(self) > 3 else ""
        return f"Names({', '.join(map(repr, self[:3]))}{more})"


def _restored(text: bytes, ends: Indices) -> Names:
    names = Names.__new__(Names)
    names._set(np.frombuffer(text, np.uint8), np.diff(ends))
    return names


def _portions(count: int) -> range:
    return range(0, count, _AT_ONCE)


class Locations(Sequence[str]):
    """The paths to open, made from a folder and names as they are asked for: ``str(root / name)``.

    Args:
        root: the folder that the names start from.
        names: POSIX paths; absolute ones stay as they are.
    """

    __slots__ = ("_prefix", "names", "root")

    def __init__(self, root: Path, names: Names) -> None:
        self.root, self.names = root, names
        text = str(root)
        self._prefix = "" if text == "." else text if text.endswith(os.sep) else text + os.sep

    def _at(self, name: str) -> str:
        # Path() takes ten times as long, and changes only names with an empty part or a dot for a part.
        plain = os.sep == "/" and name and name[0] not in "/." and name[-1] not in "/."
        if plain and "//" not in name and "./" not in name:
            return self._prefix + name
        return str(self.root / name)

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> Locations: ...
    def __getitem__(self, place: int | slice) -> str | Locations:
        return Locations(self.root, self.names[place]) if isinstance(place, slice) else self._at(self.names[place])

    def take(self, indices: Sequence[int] | Indices) -> Locations:
        """The paths at some positions, in that order."""
        return Locations(self.root, self.names.take(indices))

    def __iter__(self) -> Iterator[str]:
        return map(self._at, self.names)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Locations):
            return self.root == other.root and self.names == other.names
        if isinstance(other, list | tuple):
            return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        return Locations, (self.root, self.names)

    def __repr__(self) -> str:
        return f"Locations({str(self.root)!r}, {self.names!r})"
