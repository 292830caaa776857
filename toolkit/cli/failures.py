"""From an exception to a message on stderr and an exit code. Only a bug shows a traceback."""

from __future__ import annotations

import errno
import os
import sys
import traceback

import click

from toolkit.errors import ExitCode, VtkError
from toolkit.hooks.exits import exit_error
from toolkit.run.signals import Interrupted

_DISK_TROUBLE = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS}


def report(error: BaseException, *, with_traceback: bool = False) -> int:
    """Tell the user about ``error`` on stderr; returns the process's exit code."""
    if isinstance(error, BrokenPipeError):
        return _reader_is_gone()
    shown = _expected(error)
    if shown is None:
        return _bug(error)
    if with_traceback:
        traceback.print_exception(error, file=sys.stderr)
    message, code = shown
    if message:
        click.echo(message, err=True)
    return int(code)


def format_error(error: VtkError) -> str:
    """``error: PLACE: MESSAGE`` with the hint on lines of its own."""
    head = f"{error.place}: {error.message}" if error.place else error.message
    lines = [f"error: {head}"]
    if error.hint:
        lines += [f"  {line}" for line in error.hint.splitlines()]
    return "\n".join(lines)


def _expected(error: BaseException) -> tuple[str, ExitCode] | None:
    """Message and code of an error that is no bug, else None."""
    if isinstance(error, VtkError):
        return format_error(error), error.code
    if isinstance(error, SystemExit):  # nothing of ours calls sys.exit, so its code means nothing here
        told = exit_error(error)
        return format_error(told), told.code
    if isinstance(error, click.ClickException):
        return _usage(error), ExitCode.USAGE
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return "interrupted", ExitCode.INTERRUPTED
    if isinstance(error, Interrupted):
        return str(error), error.code
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return _out_of_memory(error), ExitCode.OUT_OF_MEMORY
    if isinstance(error, OSError) and error.errno in _DISK_TROUBLE:
        place = f"{error.filename}: " if error.filename else ""
        return f"error: {place}{os.strerror(error.errno)}", ExitCode.IO
    return None


def _usage(error: click.ClickException) -> str:
    message = f"error: {error.format_message()}"
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None:
        return message
    return f"{message}\n  {context.get_usage()}\n  Help: {context.command_path} --help"


def _out_of_memory(error: BaseException) -> str:
    detail = str(error).strip().splitlines()
    return (
        f"error: out of memory{': ' + detail[0] if detail else ''}\n"
        "  Take smaller batches with more accumulation, e.g. --set train.batch_size=8 --set train.accumulate=4"
    )


def _bug(error: BaseException) -> int:
    from toolkit.hooks.blame import blamed
    from toolkit.hooks.catalogue import Catalogue

    traceback.print_exception(error, file=sys.stderr)
    whose = blamed(error, Catalogue().plugins) or "this is a bug in the toolkit or in a plugin"
    click.echo(f"error: {whose}; please report it with the lines above", err=True)
    return int(ExitCode.BUG)


def _reader_is_gone() -> int:
    """Whoever read our output (``| head``) has closed it. Nothing more can be said, and nothing is wrong with us."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    return int(ExitCode.IO)
