"""Faults in a plugin that pluggy lets pass, found before the plugin is used."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from toolkit.errors import ExitCode, VtkError, suggest
from toolkit.hooks import specs
from toolkit.hooks.entry import Kind, Plugin
from toolkit.hooks.loading import remedy
from toolkit.hooks.specs import PROJECT

PREFIX = "vtk_"
_SHOWN = 3
REQUIRED: dict[Kind, tuple[str, ...]] = {
    "task": ("vtk_config", "vtk_data", "vtk_model", "vtk_loss"),
    "extension": (),
}


@dataclass(frozen=True)
class Violation:
    """One fault: the hook or attribute, what is wrong with it, the likely fix."""

    hook: str
    fault: str
    fix: str

    def __str__(self) -> str:
        return f"{self.hook}: {self.fault}; {self.fix}"


@cache
def hook_names() -> tuple[str, ...]:
    """The names of all hooks, in the order of the specifications."""
    return tuple(name for name in vars(specs) if name.startswith(PREFIX))


def lint(plugin: Any, entry: Plugin) -> None:
    """Refuses a plugin that would not do what its author meant.

    Raises:
        VtkError: names plugin, distribution, hook and the likely fix of each fault.
    """
    findings = list(_findings(plugin, entry.kind))
    if findings:
        raise VtkError(
            f"the {entry.kind} {entry.name!r} of {entry.owner} is not a valid plugin:\n{truncate_list(findings)}",
            hint=f"entry point {entry.value}; {remedy(entry)}",
            code=ExitCode.UNAVAILABLE,
        )


def implemented(plugin: Any) -> list[str]:
    """The hooks that a plugin implements, in the order of the specifications."""
    marked = {name: options for name, routine in _hooks(plugin) if (options := _marked(routine)) is not None}
    found = {options.get("specname") or name for name, options in marked.items()}
    return [name for name in hook_names() if name in found]


def implementation(plugin: Any, hook: str) -> Callable[..., Any] | None:
    """The plugin's own routine for ``hook``, whatever it is called; None where it has none."""
    return next((routine for name, routine in _hooks(plugin) if _answers(name, routine) == hook), None)


def truncate_list(faults: Sequence[object]) -> str:
    """Faults one a line, as many as leave the whole message within five lines."""
    shown = faults if len(faults) <= _SHOWN else faults[: _SHOWN - 1]
    rest = [f"and {len(faults) - len(shown)} more like these"] if len(shown) < len(faults) else []
    return "\n".join(f"  {fault}" for fault in [*shown, *rest])


def _findings(plugin: Any, kind: Kind) -> Iterator[Violation]:
    if inspect.isclass(plugin):
        yield Violation(
            plugin.__name__, "the entry point names a class", f"name an instance, e.g. plugin = {plugin.__name__}()"
        )
        return
    hooks = dict(_hooks(plugin))
    for name, function in hooks.items():
        yield from _check_hook(name, function)
    answered = {hook for name, routine in hooks.items() if (hook := _answers(name, routine)) is not None}
    for name in REQUIRED[kind]:
        if name not in answered:
            yield Violation(name, f"a {kind} must have this hook", f"add a method {name} marked @hookimpl")


def _hooks(plugin: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every routine that is called like a hook or marked as one."""
    for name in dir(plugin):
        if name.startswith("__"):
            continue
        attribute = inspect.getattr_static(plugin, name)
        if isinstance(attribute, property):
            continue  # reading it would run the plugin's code
        routine = getattr(plugin, name, None)
        if inspect.isroutine(routine) and (name.startswith(PREFIX) or _marked(routine) is not None):
            yield name, routine


def _answers(name: str, routine: Callable[..., Any]) -> str | None:
    """The hook that a routine is there for. None: a wrapper, which only passes on what others answer.

    A routine called like a hook counts without its mark, the lack of which is a fault of its own.
    """
    options = _marked(routine) or {}
    if options.get("wrapper") or options.get("hookwrapper"):
        return None
    return options.get("specname") or name


def _marked(routine: Any) -> dict[str, Any] | None:
    options = getattr(routine, f"{PROJECT}_impl", None)
    return options if isinstance(options, dict) else None


def _check_hook(name: str, function: Callable[..., Any]) -> Iterator[Violation]:
    options = _marked(function)
    hook = (options or {}).get("specname") or name
    if hook not in hook_names():
        meant = suggest(hook, hook_names(), 1)
        yield Violation(name, "there is no such hook", meant or f"hooks: {', '.join(hook_names())}")
        return
    if options is None:
        yield Violation(
            name, "not marked as a hook implementation, so it would never be called", "put @hookimpl above it"
        )
        return
    yield from _check_arguments(name, hook, function)


def _check_arguments(name: str, hook: str, function: Callable[..., Any]) -> Iterator[Violation]:
    allowed = list(inspect.signature(getattr(specs, hook)).parameters)
    offered = f"the arguments of {hook} are ({', '.join(allowed)})"
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            yield Violation(
                name, f"takes *{parameter.name}, which pluggy never fills", f"name what it needs; {offered}"
            )
        elif parameter.name not in allowed:
            meant = suggest(parameter.name, allowed, 1)
            yield Violation(
                name,
                f"unknown argument {parameter.name!r}",
                f"{meant} {offered}".lstrip(),
            )
        elif parameter.default is not parameter.empty:
            yield Violation(
                name,
                f"the argument {parameter.name!r} has a default, so pluggy would never pass it",
                "remove the default",
            )


def required(hook: str, value: Any, entry: Plugin) -> Any:
    """``value``, which the task's ``hook`` returned, unless it is None.

    Raises:
        VtkError: the hook returned None, which would make pluggy ask the next plugin.
    """
    if value is None:
        raise VtkError(
            f"{hook} of the {entry.kind} {entry.name!r} ({entry.owner}) returned None",
            hint="the hook must return a value; is a 'return' missing?",
            code=ExitCode.UNAVAILABLE,
        )
    return value
