"""From an exception to a message on stderr and an exit code. Only a bug shows a traceback."""

from __future__ import annotations

import traceback

import click

from toolkit.cli.echo import echo
from toolkit.errors import ExitCode, VtkError
from toolkit.system.os_errors import exhausted, os_error, refused_threads, resource_error
from toolkit.system.printable import printable
from toolkit.system.signals import Interrupted, Terminated


def report(error: BaseException, *, with_traceback: bool = False) -> int:
    """Tell the user about ``error`` on stderr; returns the process's exit code."""
    if isinstance(error, BrokenPipeError):
        return int(ExitCode.READER_LEFT)  # a stream that is not the process's own; see toolkit.cli.streams
    shown = _expected(error)
    if shown is None:
        return _bug(error)
    if with_traceback:
        _traceback(error)
    message, code = shown
    if message:
        echo(message, err=True)
    return int(code)


def format_error(error: VtkError) -> str:
    """``error: PLACE: MESSAGE`` with the hint on lines of its own."""
    head = f"{printable(error.place)}: {error.message}" if error.place else error.message
    lines = [f"error: {head}"]
    if error.hint:
        lines += [f"  {line}" for line in error.hint.splitlines()]
    return "\n".join(lines)


def _expected(error: BaseException) -> tuple[str, ExitCode] | None:
    """Message and code of an error that is no bug, else None."""
    if isinstance(error, VtkError):
        return format_error(error), error.code
    if isinstance(error, SystemExit):  # nothing of ours calls sys.exit, so its code means nothing here
        from toolkit.hooks.loading import exit_error

        left = exit_error(error)
        return format_error(left), left.code
    if isinstance(error, click.ClickException):
        return _usage(error), ExitCode.USAGE
    if isinstance(error, KeyboardInterrupt) and (told := refused_threads(error)):
        return format_error(told), told.code
    if isinstance(error, Terminated):
        return "terminated", ExitCode.TERMINATED
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return "interrupted", ExitCode.INTERRUPTED
    if isinstance(error, Interrupted):
        return str(error), error.code
    told = exhausted(error) or os_error(error) or resource_error(error)
    return None if told is None else (format_error(told), told.code)


def _usage(error: click.ClickException) -> str:
    message = f"error: {error.format_message()}"
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None:
        return message
    return f"{message}\n  {context.get_usage()}\n  Help: {context.command_path} --help"


def _traceback(error: BaseException) -> None:
    echo("".join(traceback.format_exception(error)), err=True, nl=False)


def _bug(error: BaseException) -> int:
    from toolkit.hooks.attribution import attribute
    from toolkit.hooks.catalogue import Catalogue

    _traceback(error)
    whose = attribute(error, Catalogue().plugins) or "this is a bug in the toolkit or in a plugin"
    echo(f"error: {whose}; please report it with the lines above", err=True)
    return int(ExitCode.BUG)
