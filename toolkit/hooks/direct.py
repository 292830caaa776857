"""Calling a hook that only one plugin answers without pluggy's work in between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pluggy

from toolkit.hooks.markers import PROJECT


def direct(manager: pluggy.PluginManager, hook: str) -> Callable[..., Any]:
    """What to call for a ``firstresult`` hook that is called very often, with its arguments in the order of the hook.

    It is the one implementation itself where there is just one that takes the same arguments, no wrapper stands around
    it and nobody watches the calls; else it goes through the hook. Ask again after plugins may have been registered.
    """
    caller = getattr(manager.hook, hook)
    names = tuple(caller.spec.argnames)
    implementations = caller.get_hookimpls()
    if len(implementations) == 1 and not _watched(manager):
        only = implementations[0]
        if not (only.wrapper or only.hookwrapper) and tuple(only.argnames) == names:
            return only.function  # type: ignore[no-any-return]
    return lambda *values: caller(**dict(zip(names, values, strict=True)))


def _watched(manager: pluggy.PluginManager) -> bool:
    """Whether tracing or monitoring of hook calls is on. pluggy has no public way to ask."""
    return manager._inner_hookexec is not pluggy.PluginManager(PROJECT)._inner_hookexec
