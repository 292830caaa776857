"""What a run says, also in Python's ``logging``: the logger ``toolkit``, with a ``NullHandler`` and no level.

A message that begins with ``warning:`` is a WARNING, any other an INFO. The record has it without that word, and with
what would steer a terminal escaped. Callers of ``vtk`` from Python make the console silent with ``--quiet`` and give
the logger a handler of their own.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from toolkit.system.printable import printable_text

__all__ = ["log_said", "logger", "shown_warnings"]

_LEVELS = {"warning: ": logging.WARNING, "note: ": logging.INFO}
_SAID = "vtk_said"

logger = logging.getLogger("toolkit")
logger.addHandler(logging.NullHandler())


def log_said(message: str) -> None:
    """Hand on to the logger what the user has been told already."""
    prefix = next((prefix for prefix in _LEVELS if message.startswith(prefix)), "")
    level = _LEVELS.get(prefix, logging.INFO)
    if logger.isEnabledFor(level):
        logger.log(level, "%s", printable_text(message.removeprefix(prefix)), extra={_SAID: True}, stacklevel=3)


class _OnStderr(logging.Handler):
    """Prints the warnings that nobody has printed yet."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        import click

        if not hasattr(record, _SAID):
            click.echo(printable_text(f"warning: {record.getMessage()}"), err=True)


@contextmanager
def shown_warnings() -> Iterator[None]:
    """Within, warnings that reach the logger alone are printed on stderr, unless somebody handles them already."""
    handled = any(not isinstance(handler, logging.NullHandler) for handler in logger.handlers)
    if handled or logging.root.handlers:
        yield
        return
    handler = _OnStderr()
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
