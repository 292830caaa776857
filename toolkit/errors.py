"""The one exception that users see, and the exit codes that scripts may rely on."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from enum import IntEnum

_NO_MEMORY = ("allocate memory", "not enough memory", "bad_alloc", "CUBLAS_STATUS_ALLOC_FAILED", "out of memory")


class ExitCode(IntEnum):
    """Process exit codes, stable across releases."""

    OK = 0
    CHECK_FAILED = 1
    USAGE = 64
    DATA = 65
    NO_INPUT = 66
    UNAVAILABLE = 69
    BUG = 70
    OUT_OF_MEMORY = 71
    CANNOT_CREATE = 73
    IO = 74
    LOCKED = 75
    RECIPE = 78
    NON_FINITE = 80
    INTERRUPTED = 130
    READER_LEFT = 141
    TERMINATED = 143


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory has run out, on whatever device and from whichever library."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _NO_MEMORY)


class VtkError(Exception):
    """Something that a user can mend.

    Args:
        message: what happened, in one or a few lines, without a trailing full stop where it is one line.
        place: where, e.g. ``recipes/a.yaml:3:5`` or a path; printed before the message.
        hint: what to do next; printed on a line of its own.
        code: the process's exit code.
    """

    def __init__(
        self,
        message: str,
        *,
        place: str | None = None,
        hint: str | None = None,
        code: ExitCode = ExitCode.DATA,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.hint = hint
        self.code = code

    def __str__(self) -> str:
        head = f"{self.place}: {self.message}" if self.place else self.message
        return f"{head}\n  {self.hint}" if self.hint else head


def nearest(word: str, known: Iterable[str], most: int = 3) -> list[str]:
    """Up to ``most`` of the ``known`` words that ``word`` may have been meant to be, likeliest first."""
    import difflib

    by_lower: dict[str, str] = {}
    for name in known:
        by_lower.setdefault(name.lower(), name)
    close = difflib.get_close_matches(word.lower()[:100], by_lower, n=most, cutoff=0.6)
    return [by_lower[name] for name in close]


def suggest(word: str, known: Iterable[str], most: int = 3) -> str:
    """``did you mean 'a' or 'b'?``; empty where nothing that is known is near."""
    close = nearest(word, known, most)
    return f"did you mean {quoted(close)}?" if close else ""


def quoted(words: Iterable[str], last: str = "or") -> str:
    """``'a', 'b' or 'c'``."""
    return joined([repr(word) for word in words], last)


def joined(phrases: Sequence[str], last: str = "or") -> str:
    """``a, b or c``."""
    if len(phrases) < 2:
        return "".join(phrases)
    return f"{', '.join(phrases[:-1])} {last} {phrases[-1]}"
