"""Calling a hook that only one plugin answers without pluggy's work in between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pluggy

from toolkit.hooks.markers import PROJECT


def direct(manager: pluggy.PluginManager, hook: str) -> Callable[..., Any]:
    """What to call for a ``firstresult`` hook that is called very often; the arguments are those of the hook, by name.

    It is the one implementation itself where there is just one that takes every argument of the hook, no wrapper stands
    around it and nobody watches the calls; else the hook. Ask again after plugins may have been registered.
    """
    caller = getattr(manager.hook, hook)
    implementations = caller.get_hookimpls()
    if len(implementations) != 1 or _watched(manager):
        return caller  # type: ignore[no-any-return]
    only = implementations[0]
    plain = not (only.wrapper or only.hookwrapper) and set(only.argnames) == set(caller.spec.argnames)
    return only.function if plain else caller  # type: ignore[no-any-return]


def _watched(manager: pluggy.PluginManager) -> bool:
    """Whether tracing or monitoring of hook calls is on. pluggy has no public way to ask."""
    return manager._inner_hookexec is not pluggy.PluginManager(PROJECT)._inner_hookexec
