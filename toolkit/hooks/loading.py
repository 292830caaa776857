"""Importing a chosen plugin, with whatever goes wrong in its code told as its own fault."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from toolkit.errors import ExitCode, VtkError
from toolkit.hooks.entry import DISABLE, Plugin

_ERROR_LENGTH = 200


def load(plugin: Plugin) -> Any:
    """Imports a plugin's object. Whatever goes wrong in it becomes a ``VtkError`` of at most five lines."""
    if plugin.status == "broken":
        raise VtkError(
            f"the metadata of {plugin.distribution} cannot be read", hint=remedy(plugin), code=ExitCode.UNAVAILABLE
        )
    if plugin.status == "incompatible":
        raise VtkError(
            f"the {plugin.kind} {plugin.name!r} {plugin.reason}\n"
            f"  from {plugin.owner}, entry point {plugin.value}; it has not been imported",
            hint=remedy(plugin),
            code=ExitCode.UNAVAILABLE,
        )
    if plugin.given is not None:
        return plugin.given
    module, _, attribute = plugin.value.partition(":")
    return guarded(plugin, "cannot be loaded", lambda: _resolve(module.strip(), attribute.split("[")[0].strip()))


def guarded(plugin: Plugin, failure: str, call: Callable[[], Any]) -> Any:
    """``call()``, which runs the plugin's code, with any of its failures told as the plugin's."""
    try:
        return call()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit too, and the panics of compiled modules
        own_hint = _one_line(error.hint) if isinstance(error, VtkError) and error.hint else ""
        raise VtkError(
            f"the {plugin.kind} {plugin.name!r} {failure}\n"
            f"  from {plugin.owner}, entry point {plugin.value}\n"
            f"  {_said(error)}",
            hint=own_hint or remedy(plugin),
            code=ExitCode.UNAVAILABLE,
        ) from error


def _said(error: BaseException) -> str:
    """An error in one line; a plugin's own VtkError speaks for itself."""
    if isinstance(error, VtkError):
        return _one_line(f"{error.place}: {error.message}" if error.place else error.message)
    text = _one_line(error)
    return f"{type(error).__name__}{f': {text}' if text else ''}"


def _one_line(text: object) -> str:
    return " ".join(str(text).split())[:_ERROR_LENGTH]


def remedy(plugin: Plugin) -> str:
    """What its user can do about a plugin that does not work."""
    if plugin.builtin:
        return f"reinstall it: pip install --force-reinstall {plugin.distribution}"
    return f"update it (pip install -U {plugin.distribution}), or do without: {DISABLE}={plugin.full_name}"


def _resolve(module: str, attribute: str) -> Any:
    found = importlib.import_module(module)
    for part in filter(None, attribute.split(".")):
        found = getattr(found, part)
    return found
