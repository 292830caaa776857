"""How a check says that a plugin does not keep what the toolkit promises its users."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from toolkit.errors import VtkError


class ConformanceError(AssertionError):
    """A plugin that fails a check.

    Args:
        check: the check, e.g. ``resume``.
        found: what the plugin does.
        remedy: what its author should do.
    """

    def __init__(self, check: str, found: str, remedy: str) -> None:
        super().__init__(f"{check}: {found}\n  What to do: {remedy}")
        self.check = check
        self.found = found
        self.remedy = remedy


class NotApplicable(Exception):
    """A check that says nothing of this plugin, and why."""


def finding(check: Callable[..., None]) -> Callable[..., None]:
    """The check, with what the toolkit refuses on the way told as what it found."""

    @wraps(check)
    def told(subject: Any) -> None:
        try:
            check(subject)
        except VtkError as error:
            head = f"{error.place}: {error.message}" if error.place else error.message
            name = check.__name__.removeprefix("check_")
            raise ConformanceError(name, head, error.hint or "mend that") from error

    return told
