"""Text from outside as it is shown: what would steer a terminal is escaped, letters of every script stay."""

from __future__ import annotations

import re

__all__ = ["STEERING", "escaped", "printable", "printable_text"]

STEERING = "\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069\\ud800-\\udfff"
"""For a class of a regular expression: C0 and C1 controls, separators of lines, bidirectional overrides, surrogates."""

_IN_NAMES = re.compile(f"[{STEERING}]")
_IN_TEXT = re.compile(rf"(?![\n\t])[{STEERING}]")


def printable(name: str) -> str:
    """A name on one line, such as a file's: line breaks are escaped too, and so are bytes that are no UTF-8."""
    return _IN_NAMES.sub(escaped, name)


def printable_text(text: str) -> str:
    """Text that may have several lines, and tabs."""
    return _IN_TEXT.sub(escaped, text)


def escaped(found: re.Match[str]) -> str:
    r"""``\x1b``, ``\n``, ``\u202e``; for a byte that is no UTF-8 (PEP 383) the byte: ``\xe9``."""
    code = ord(found[0])
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else repr(found[0])[1:-1]
