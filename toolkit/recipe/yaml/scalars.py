"""What an unquoted word in a recipe means: the core schema of YAML 1.2, without infinities and NaN.

``no``, ``on``, ``off``, ``yes``, dates and ``1_000`` are text; ``1e-3`` is a number.
"""

from __future__ import annotations

import math
import re

from toolkit.recipe.yaml.nodes import Value

_MAX_DIGITS = 100

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def resolve(text: str) -> Value:
    """The value of an unquoted scalar.

    Raises:
        ValueError: for infinities, NaN, and numbers that no machine number can hold; the message is for the user.
    """
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        return _number(text)
    if _SPECIAL.fullmatch(text):
        raise ValueError(f"{text} is not allowed; only finite numbers are")
    return text


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError(f"a number of {len(text)} digits is too long")
    return int(text, 0) if text[:2] in ("0o", "0x") else int(text)


def _number(text: str) -> float:
    if len(text) > _MAX_DIGITS:
        raise ValueError(f"a number of {len(text)} digits is too long")
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large for a number")
    return number


def is_number(text: str) -> bool:
    """Whether ``text``, written without quotes, would be a number."""
    return bool(_INT.fullmatch(text) or _FLOAT.fullmatch(text))


def not_allowed(character: str) -> str:
    """Why a character may not be in a recipe; a surrogate stands for a byte of a file's name that is no UTF-8."""
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:
        return (
            f"the byte 0x{number - 0xDC00:02X} in this name is no UTF-8, which a recipe's text must be (names within a "
            "folder of data need not): rename it, or give a link to it that has a plain name"
        )
    return f"the character U+{number:04X} is not allowed in a recipe"


def check_text(text: str) -> None:
    """Refuses characters that no recipe text needs and that break files, paths and terminals.

    Raises:
        ValueError: with a message for the user.
    """
    found = _CONTROL.search(text)
    if found:
        raise ValueError(not_allowed(found.group()))
