"""The plugin manager of one run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pluggy

from toolkit.errors import ExitCode, VtkError
from toolkit.hooks import specs
from toolkit.hooks.entry import Loaded, Plugin
from toolkit.hooks.lint import lint
from toolkit.hooks.loading import remedy
from toolkit.hooks.markers import PROJECT

CORE = "core"


def build_manager(core_defaults: Any, extensions: Sequence[Loaded], task: Loaded) -> pluggy.PluginManager:
    """A fresh manager: nothing registered with it outlives the run.

    pluggy asks the last registered first, so the core goes first, then the extensions from last to first, then the
    task: hooks are called for the task, the extensions in the recipe's order, and the core.

    Args:
        core_defaults: the object with the core's own implementations.
        extensions: in the recipe's order.
        task: the one task.

    Raises:
        VtkError: a plugin that pluggy refuses, or that would not do what its author meant.
    """
    manager = _empty()
    manager.register(core_defaults, name=CORE)
    for loaded in (*reversed(extensions), task):
        lint(loaded.plugin, loaded.entry)
        _register(manager, loaded)
    return manager


def try_out(loaded: Loaded) -> None:
    """Registers one plugin with a manager that is thrown away.

    Raises:
        VtkError: pluggy refuses the plugin.
    """
    _register(_empty(), loaded)


def _empty() -> pluggy.PluginManager:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(specs)
    return manager


def _register(manager: pluggy.PluginManager, loaded: Loaded) -> None:
    entry = loaded.entry
    try:
        manager.register(loaded.plugin, name=plugin_name(entry))
        manager.check_pending()
    except (pluggy.PluginValidationError, ValueError) as error:
        raise VtkError(
            f"the {entry.kind} {entry.name!r} of {entry.owner} cannot be registered:\n  {' '.join(str(error).split())}",
            hint=f"entry point {entry.value}; {remedy(entry)}",
            code=ExitCode.UNAVAILABLE,
        ) from error


def plugin_name(entry: Plugin) -> str:
    """What the manager calls a plugin: the kind keeps a task and an extension of one name apart."""
    return f"{entry.kind}:{entry.full_name}"


def call_required(manager: pluggy.PluginManager, hook: str, **arguments: Any) -> Any:
    """Calls a hook of which the task must give an answer.

    Raises:
        VtkError: every plugin returned None, which tells pluggy to ask the next one.
    """
    caller = getattr(manager.hook, hook)
    answer = caller(**arguments)
    if answer is not None:
        return answer
    asked = [impl.plugin_name for impl in reversed(caller.get_hookimpls()) if not impl.hookwrapper and not impl.wrapper]
    raise VtkError(
        f"the hook {hook} returned None; asked: {', '.join(asked) or 'no plugin has it'}",
        hint=f"the task's plugin must return a value from {hook}; is a 'return' missing?",
        code=ExitCode.UNAVAILABLE,
    )
