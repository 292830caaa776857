"""The images of each split that a run left out because they cannot be read, as it remembers and lists them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from toolkit.system.files import write_atomic

if TYPE_CHECKING:
    from pathlib import Path

    from toolkit.data.loading.bad_images import Skipped

__all__ = ["SkippedImages"]


class SkippedImages:
    """Each split's unreadable images, in the order in which they were met.

    Attributes:
        found: split → file → reason.
    """

    def __init__(self) -> None:
        self.found: dict[str, dict[str, str]] = {}
        self._unwritten = False

    def __len__(self) -> int:
        return sum(map(len, self.found.values()))

    def add(self, split: str, skipped: Sequence[Skipped]) -> list[Skipped]:
        """Remember images; returns those that are new."""
        known = self.found.setdefault(split, {})
        new = [one for one in skipped if one.path not in known]
        known.update(new)
        self._unwritten |= bool(new)
        return new

    def write(self, place: Path) -> None:
        """Bring the list at ``place`` up to date."""
        if self._unwritten:
            listed = {split: _as_list(files) for split, files in self.found.items()}
            write_atomic(place, json.dumps(listed, indent=1, ensure_ascii=False) + "\n")
            self._unwritten = False

    def restore(self, found: Mapping[str, Mapping[str, str]]) -> None:
        """What a checkpoint knew."""
        self.found = {split: dict(files) for split, files in found.items()}
        self._unwritten = bool(self)


def _as_list(files: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"file": path, "reason": reason} for path, reason in files.items()]
