"""Where a fault between several keys of a section is told: at the one that was given last."""

from __future__ import annotations

import re

from toolkit.recipe.mark import DEFAULT, Mark
from toolkit.recipe.yaml.nodes import MapNode

__all__ = ["place_of_contradiction"]

_WORD = re.compile(r"\w+")


def place_of_contradiction(message: str, section: MapNode, recipe: Mark) -> tuple[Mark | None, str]:
    """The place of a section's own fault, whose message names the keys that do not fit together.

    The section's own place will not do: it is where any of its keys was set last. A value of the command line was
    given later than one in a file, one of the recipe later than one in a recipe that it extends.

    Args:
        message: what the section said.
        section: what stands there.
        recipe: the place of the whole recipe.

    Returns:
        the place of the key that was given last, None where the message names no key that was given; and for the
        message where the others are, which is empty where they are in the same place.
    """
    named = dict.fromkeys(_WORD.findall(message))
    given = {key: section.entries[key].key for key in named if key in section.entries}
    marks = {key: mark for key, mark in given.items() if mark != DEFAULT}
    if not marks:
        return None, ""
    last = max(marks.values(), key=lambda mark: _rank(mark, recipe))
    others = [f"{key}: {mark}" for key, mark in marks.items() if mark.source != last.source]
    return last, f" ({', '.join(others)})" if others else ""


def _rank(mark: Mark, recipe: Mark) -> tuple[bool, bool, bool, int, int]:
    return mark.line is None, bool(mark.note), mark.source == recipe.source, mark.line or 0, mark.column or 0
