"""Names as a figure can show them: they are data, and neither formulas nor bytes."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["figure_text", "undrawable_signs"]

_LONGEST = 40


def figure_text(name: str) -> str:
    """A name for matplotlib: no formula between two ``$``, one line, not longer than 40 signs.

    Bytes that are no UTF-8 and control signs are written out as escapes.
    """
    shown = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    shown = "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in shown)
    if len(shown) > _LONGEST:
        half = (_LONGEST - 1) // 2
        shown = f"{shown[:half]}…{shown[-half:]}"
    # A leading underscore would keep a line out of a legend.
    return ("\u200a" if shown.startswith("_") else "") + shown.replace("$", r"\$")


@contextmanager
def undrawable_signs() -> Iterator[None]:
    """Within, a sign that the font lacks is a box and no warning: the tables beside the figure have the name."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .*missing from")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        yield
