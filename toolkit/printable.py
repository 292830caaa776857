"""Names of files as they are shown."""

from __future__ import annotations


def printable(name: str) -> str:
    """A file's name on one line: line breaks and what else would steer a terminal are escaped."""
    return "".join(c if c.isprintable() or 0xDC80 <= ord(c) <= 0xDCFF else repr(c)[1:-1] for c in name)
