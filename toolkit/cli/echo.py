"""The door through which everything leaves that ``vtk`` prints itself."""

from __future__ import annotations

import sys

import click

from toolkit.system.printable import printable_text

__all__ = ["echo", "echo_exact"]


def echo(message: object = "", *, err: bool = False, nl: bool = True) -> None:
    """Text for people, on stdout or stderr; what would steer a terminal is escaped."""
    click.echo(printable_text(str(message)), err=err, nl=nl)


def echo_exact(text: str) -> None:
    """Text for programs on stdout: in UTF-8, with names to the byte as they are; on a terminal as :func:`echo`.

    Args:
        text: with bytes of names that are no UTF-8 as surrogates (PEP 383).
    """
    if sys.stdout.isatty():
        echo(text, nl=False)
        return
    sys.stdout.flush()
    binary = getattr(sys.stdout, "buffer", None)
    if binary is None:  # a stream of text that somebody has put in place
        sys.stdout.write(text)
    else:
        binary.write(text.encode("utf-8", "surrogateescape"))
    sys.stdout.flush()
