"""What a report lacks: it is said aloud, in the terminal and on the page, and fails no run whose model is saved."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from toolkit.errors import VtkError
from toolkit.system.signals import Interrupted

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}


@dataclass(frozen=True)
class Gap:
    """One part that a report lacks.

    Attributes:
        part: e.g. ``the figure 'samples'``.
        why: one line.
        error: what was raised.
    """

    part: str
    why: str
    error: Exception

    def __str__(self) -> str:
        return f"{self.part}: {self.why}"


class Gaps:
    """Gathers what a report lacks.

    Args:
        say: is told of each gap.

    Attributes:
        found: in the order in which they were met.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.found: list[Gap] = []
        self._say = say

    @contextmanager
    def around(self, part: str) -> Iterator[None]:
        """Within, an error costs the report this part alone.

        Raises:
            Interrupted: the run was asked to end.
            VtkError: the disk is full or broken, so that nothing can be written.
        """
        try:
            yield
        except Interrupted:
            raise
        except Exception as error:
            cause = _cause(error)
            if isinstance(cause, OSError) and cause.errno in _DISK:
                raise
            self.found.append(Gap(part, self._why(cause), cause))
            self._say(f"warning: the report lacks {self.found[-1]}")

    def _why(self, error: Exception) -> str:
        from toolkit.hooks.attribution import attribute
        from toolkit.hooks.catalogue import Catalogue

        if isinstance(error, VtkError):
            return " ".join(str(error).split())
        whose = attribute(error, Catalogue().plugins)
        text = " ".join(f"{type(error).__name__}: {error}".split())
        return f"{text} ({whose})" if whose else text


def _cause(error: Exception) -> Exception:
    """What was raised within a block whose failures are told as those of writing a file."""
    inner = error.__cause__
    return inner if type(error) is VtkError and isinstance(inner, OSError) else error
