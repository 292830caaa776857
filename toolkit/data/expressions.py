"""Regular expressions that a recipe gives."""

from __future__ import annotations

import re

__all__ = ["require_group"]


def require_group(expression: str, group: str, meaning: str) -> str:
    """The expression itself, where it is one and has a named group.

    Args:
        group: the group's name.
        meaning: what the group is to hold, for the message.

    Raises:
        ValueError: with a message for the user.
    """
    try:
        groups = re.compile(expression).groupindex
    except (re.error, OverflowError) as error:
        raise ValueError(f"not a regular expression: {error}") from None
    except RecursionError:
        raise ValueError("too many brackets inside one another in this regular expression") from None
    if group not in groups:
        raise ValueError(f"has no group named {group}; write (?P<{group}>...) around the part that {meaning}")
    return expression
