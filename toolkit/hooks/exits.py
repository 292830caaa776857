"""``sys.exit`` called by a plugin or a library: a failure like any other, whatever code was given.

Taken at its word, ``sys.exit()`` in the midst of a run would end it without a word and with the code of success.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import wraps
from typing import Any

from toolkit.errors import ExitCode, VtkError
from toolkit.hooks.entry import Plugin


def exit_error(error: SystemExit, who: str = "a plugin or a library") -> VtkError:
    """What to tell the user of it: who asked to leave, with which code or message, and where.

    Args:
        who: whoever called ``sys.exit``, as far as that is known.
    """
    given = "" if error.code is None else repr(error.code) if isinstance(error.code, int) else _one_line(error.code)
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


def _one_line(text: object) -> str:
    return repr(" ".join(str(text).split()))
