"""Importing a chosen plugin and calling its code, with whatever goes wrong in it told as the plugin's own fault."""

from __future__ import annotations

import importlib
import json
import traceback
from collections.abc import Callable, Generator
from functools import wraps
from importlib import metadata
from typing import Any
from urllib.parse import unquote, urlsplit

from toolkit.errors import ExitCode, VtkError
from toolkit.hooks.entry import DISABLE, Plugin
from toolkit.system.os_errors import exhausted

_ERROR_LENGTH = 200
_OWN = __name__.partition(".")[0]


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
        if told := exhausted(error):
            raise told from error
        own_hint = _one_line(error.hint) if isinstance(error, VtkError) and error.hint else ""
        raise VtkError(
            f"the {plugin.kind} {plugin.name!r} {failure}\n"
            f"  from {plugin.owner}, entry point {plugin.value}\n"
            f"  {_said(error)}{_where(plugin, error)}",
            hint=own_hint or remedy(plugin),
            code=ExitCode.UNAVAILABLE,
        ) from error


def exit_error(error: SystemExit, who: str = "a plugin or a library") -> VtkError:
    """What to tell the user of ``sys.exit``: who called it, with which code or message, and where.

    It is a failure like any other, whatever code was given: taken at its word, ``sys.exit()`` in the midst of a run
    would end it without a word and with the code of success.

    Args:
        who: whoever called ``sys.exit``, as far as that is known.
    """
    code = error.code if isinstance(error.code, int | None) else " ".join(str(error.code).split())
    given = "" if code is None else repr(code)
    return VtkError(
        f"{who} called sys.exit({given})",
        place=_place(error),
        hint="only vtk itself may end: its author must raise toolkit.VtkError, or return",
        code=ExitCode.UNAVAILABLE,
    )


def without_exits(entry: Plugin, hook: str, function: Callable[..., Any], *, wrapper: bool) -> Callable[..., Any]:
    """``function``, a plugin's implementation of ``hook``, with ``sys.exit`` in it told as its failure."""
    who = f"{hook} of the {entry.kind} {entry.name!r} ({entry.owner})"

    @wraps(function)
    def call(*values: Any) -> Any:
        try:
            return function(*values)
        except SystemExit as error:
            raise exit_error(error, who) from error

    @wraps(function)
    def wrap(*values: Any) -> Generator[Any, Any, Any]:
        try:
            return (yield from function(*values))
        except SystemExit as error:
            raise exit_error(error, who) from error

    return wrap if wrapper else call


def _place(error: SystemExit) -> str | None:
    """The line that raised it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else None


def _said(error: BaseException) -> str:
    """An error in one line; a plugin's own VtkError speaks for itself."""
    if isinstance(error, VtkError):
        return _one_line(f"{error.place}: {error.message}" if error.place else error.message)
    text = _one_line(error)
    return f"{type(error).__name__}{f': {text}' if text else ''}"


def _where(plugin: Plugin, error: BaseException) -> str:
    """A line for the author: the innermost place in the plugin's package; nothing where the error is not from there."""
    if isinstance(error, VtkError):
        return ""
    package = plugin.value.partition(":")[0].partition(".")[0].strip()
    place = None
    if isinstance(error, SyntaxError) and error.filename:
        place = f"{error.filename}:{error.lineno}"
    for frame, line in traceback.walk_tb(error.__traceback__):
        if str(frame.f_globals.get("__name__")).partition(".")[0] == package and package != _OWN:
            place = place if isinstance(error, SyntaxError) else f"{frame.f_code.co_filename}:{line}"
    return f"\n  at {place}; --traceback shows the way there" if place else ""


def _one_line(text: object) -> str:
    return " ".join(str(text).split())[:_ERROR_LENGTH]


def remedy(plugin: Plugin) -> str:
    """What its user can do about a plugin that does not work."""
    if plugin.builtin:
        return f"reinstall it: pip install --force-reinstall {plugin.distribution}"
    source = _edited(plugin)
    better = f"mend it in {source}" if source else f"update it (pip install -U {plugin.distribution})"
    return f"{better}, or do without: {DISABLE}={plugin.full_name}"


def _edited(plugin: Plugin) -> str | None:
    """The folder of a distribution that is installed for editing (PEP 610): its user is its author."""
    try:
        found = json.loads(metadata.distribution(plugin.distribution).read_text("direct_url.json") or "{}")
        return unquote(urlsplit(found["url"]).path) if found["dir_info"]["editable"] else None
    except Exception:
        return None  # no distribution of that name, no such file, or none that can be read


def _resolve(module: str, attribute: str) -> Any:
    found = importlib.import_module(module)
    for part in filter(None, attribute.split(".")):
        found = getattr(found, part)
    return found
