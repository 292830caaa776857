"""What metadata tell of a plugin, for tables and for JSON."""

from __future__ import annotations

from typing import Any

from toolkit.hooks.entry import Plugin

__all__ = ["COLUMNS", "facts"]

COLUMNS = ("name", "kind", "distribution", "version", "status", "about")
FIELDS = (*COLUMNS[:-1], "reason", "summary", "builtin", "full_name", "value", "needs", "homepage")


def facts(plugin: Plugin) -> dict[str, Any]:
    """What metadata tell of a plugin."""
    return {field: getattr(plugin, field) for field in FIELDS}
