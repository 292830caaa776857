"""Where something in a recipe was written."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT", "Mark"]


@dataclass(frozen=True)
class Mark:
    """Where a node was written: a place in a file, or a flag of the command line.

    Args:
        source: the file as the user would name it, or the flag with its value.
        line, column: counted from 1; None for a flag.
        note: what else should be known of the place, e.g. ``demo``.
    """

    source: str
    line: int | None = None
    column: int | None = None
    note: str = ""

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}:{self.column}"

    @property
    def origin(self) -> str:
        """The place with its note, as lists of origins show it."""
        return f"{self} ({self.note})" if self.note else str(self)


DEFAULT = Mark("default")
