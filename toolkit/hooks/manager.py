"""The plugin manager of one run."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

import pluggy

from toolkit.errors import ExitCode, VtkError
from toolkit.hooks import specs
from toolkit.hooks.entry import LoadedPlugin, Plugin
from toolkit.hooks.lint import hook_names
from toolkit.hooks.loading import remedy, without_exits
from toolkit.hooks.results import ANSWERS, check_answer
from toolkit.hooks.specs import PROJECT

CORE = "core"


class Manager(pluggy.PluginManager):
    """pluggy's, which also knows whose the plugins and their answers are."""

    def __init__(self) -> None:
        super().__init__(PROJECT)
        self.add_hookspecs(specs)
        self._entries: dict[str, Plugin] = {}
        self._owners: dict[str, Plugin | None] = {}
        self._given: list[tuple[Plugin, Any]] | None = None

    def register_plugin(self, loaded: LoadedPlugin) -> None:
        """Register a plugin, and from then on note what it answers where answers are checked."""
        name = plugin_name(loaded.entry)
        self.register(loaded.plugin, name=name)
        self.check_pending()
        self._entries[name] = loaded.entry
        for hook in hook_names():
            for impl in getattr(self.hook, hook).get_hookimpls():
                if impl.plugin is not loaded.plugin:
                    continue
                if hook in ANSWERS and not impl.hookwrapper:
                    note = self._noting_wrapper if impl.wrapper else self._noting
                    impl.function = note(loaded.entry, impl.function)
                wrapper = impl.wrapper or impl.hookwrapper
                impl.function = without_exits(loaded.entry, hook, impl.function, wrapper=wrapper)

    def call(self, hook: str, **arguments: Any) -> Any:
        """The hook's answer, or list of answers, each of which fits.

        Raises:
            VtkError: one that does not; names hook, plugin and distribution, what came, and what must come.
        """
        outer, self._given = self._given, []
        caller = getattr(self.hook, hook)
        try:
            answer = caller(**arguments)
            for one in [answer] if caller.spec.opts["firstresult"] else answer:
                self._owners[hook] = next((entry for entry, given in self._given or () if given is one), None)
                check_answer(hook, one, self._owners[hook])
        finally:
            self._given = outer
        return answer

    def owner_of(self, hook: str) -> Plugin | None:
        """Whose answer :meth:`call` had last; where it was not asked, who comes first. None: the core."""
        if hook in self._owners:
            return self._owners[hook]
        return next(iter(self.answerers(hook)), None)

    def answerers(self, hook: str) -> list[Plugin | None]:
        """Whose plugins have an answer to ``hook``, in the order of asking. None: the core."""
        impls = reversed(getattr(self.hook, hook).get_hookimpls())
        return [self._entries.get(impl.plugin_name) for impl in impls if not (impl.wrapper or impl.hookwrapper)]

    def _noting(self, entry: Plugin, function: Callable[..., Any]) -> Callable[..., Any]:
        def noting(*values: Any) -> Any:
            answer = function(*values)
            self._note(entry, answer)
            return answer

        return noting

    def _noting_wrapper(self, entry: Plugin, function: Callable[..., Any]) -> Callable[..., Any]:
        """An answer that a wrapper lets through was noted before, and so remains the other's."""

        def noting(*values: Any) -> Generator[Any, Any, Any]:
            answer = yield from function(*values)
            self._note(entry, answer)
            return answer

        return noting

    def _note(self, entry: Plugin, answer: Any) -> None:
        if self._given is not None:
            self._given.append((entry, answer))


def build_manager(core_defaults: object | None, extensions: Sequence[LoadedPlugin], task: LoadedPlugin) -> Manager:
    """A fresh manager: nothing registered with it outlives the run.

    pluggy asks the last registered first, so the core goes first, then the extensions from last to first, then the
    task: hooks are called for the task, the extensions in the recipe's order, and the core.

    Args:
        core_defaults: the object with the core's own implementations; None where no hook is asked that it answers.
        extensions: in the recipe's order.
        task: the one task.

    Raises:
        VtkError: a plugin that pluggy refuses, or that would not do what its author meant.
    """
    manager = Manager()
    if core_defaults is not None:
        manager.register(core_defaults, name=CORE)
    for loaded in (*reversed(extensions), task):
        _register(manager, loaded)
    return manager


def check_registration(loaded: LoadedPlugin) -> None:
    """Registers one plugin with a manager that is thrown away.

    Raises:
        VtkError: pluggy refuses the plugin.
    """
    _register(Manager(), loaded)


def _register(manager: Manager, loaded: LoadedPlugin) -> None:
    entry = loaded.entry
    try:
        manager.register_plugin(loaded)
    except (pluggy.PluginValidationError, ValueError) as error:
        raise VtkError(
            f"the {entry.kind} {entry.name!r} of {entry.owner} cannot be registered:\n  {' '.join(str(error).split())}",
            hint=f"entry point {entry.value}; {remedy(entry)}",
            code=ExitCode.UNAVAILABLE,
        ) from error


def plugin_name(entry: Plugin) -> str:
    """What the manager calls a plugin: the kind keeps a task and an extension of one name apart."""
    return f"{entry.kind}:{entry.full_name}"


def call_required(manager: Manager, hook: str, **arguments: Any) -> Any:
    """Calls a hook of which the task must give an answer.

    Raises:
        VtkError: every plugin returned None, which tells pluggy to ask the next one; or the answer does not fit.
    """
    answer = manager.call(hook, **arguments)
    if answer is not None:
        return answer
    asked = [CORE if entry is None else plugin_name(entry) for entry in manager.answerers(hook)]
    raise VtkError(
        f"the hook {hook} returned None; asked: {', '.join(asked) or 'no plugin has it'}",
        hint=f"the task's plugin must return a value from {hook}; is a 'return' missing?",
        code=ExitCode.UNAVAILABLE,
    )
