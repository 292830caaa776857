"""The console on which runs and displays of progress write."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from toolkit.system.printable import printable_text

__all__ = ["PrintableConsole", "progress_console"]


class PrintableConsole(Console):
    """Rich's console; of what text brings along, nothing steers the terminal but what rich itself makes of it."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Rich's own, with the text of each segment escaped."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(printable_text(segment.text), segment.style)


def progress_console(**options: Any) -> PrintableConsole:
    """A console on stderr, where all that is said on the way goes."""
    return PrintableConsole(file=sys.stderr, **options)
