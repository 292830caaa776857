"""What a report says is wrong: one fault for each kind, with everything that has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["LEVELS", "Case", "Finding", "counted", "worst_first"]

Level = Literal["error", "warning", "note"]
LEVELS: tuple[Level, ...] = ("error", "warning", "note")
"""``error``: a run stops, or its figures are wrong. ``warning``: the model suffers. ``note``: good to know."""


@dataclass(frozen=True)
class Case:
    """One occurrence: the files that share it, by the names that the report uses, and what there is to say."""

    files: tuple[str, ...] = ()
    detail: str = ""


@dataclass(frozen=True)
class Finding:
    """One kind of fault.

    Args:
        kind: a stable name for scripts, e.g. ``empty-file``.
        level: how bad it is.
        message: what is wrong, e.g. ``3 files are empty``.
        remedy: what to do.
        cases: each occurrence.
    """

    kind: str
    level: Level
    message: str
    remedy: str
    cases: tuple[Case, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        cases = [{"files": list(case.files), "detail": case.detail} for case in self.cases]
        return {
            "kind": self.kind,
            "level": self.level,
            "message": self.message,
            "remedy": self.remedy,
            "count": len(cases),
            "cases": cases,
        }


def worst_first(faults: Sequence[Finding]) -> list[Finding]:
    """Errors, then warnings, then notes; the most frequent first within each."""
    return sorted(faults, key=lambda fault: (LEVELS.index(fault.level), -len(fault.cases), fault.kind))


def counted(count: int, one: str, many: str) -> str:
    """``1 file is empty`` or ``3 files are empty``."""
    return f"{count:,} {one if count == 1 else many}"
