"""How a check says that a plugin does not keep what the toolkit promises its users."""

from __future__ import annotations


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
