"""What every verb shares: ``--traceback``, ``--no-plugins`` and the examples in its help."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click

from toolkit.system.printable import printable_text

NO_PLUGINS = "--no-plugins"
TRACEBACK = "--traceback"


@dataclass
class Session:
    """One call of ``vtk``: what is shown when something has failed, and which verb it is once that is known."""

    traceback: bool = False
    verb: str | None = None


def common_options() -> list[click.Parameter]:
    """``--no-plugins`` and ``--traceback``, understood before and after the verb. ``main`` acts on them.

    It looks for them before anything is parsed: a recipe's plugin, which may be the one that fails or is not to be
    imported, adds flags of its own to the command line.
    """
    return [
        click.Option(
            [NO_PLUGINS],
            is_flag=True,
            expose_value=False,
            help="Do without the plugins and recipes of other packages; none of them is imported.",
        ),
        click.Option(
            [TRACEBACK],
            is_flag=True,
            expose_value=False,
            help="Show Python's traceback with every error.",
        ),
    ]


class _WithExamples(click.Command):
    """Prints examples at the end of its help, and has the options that are common to all."""

    def __init__(self, *args: Any, examples: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = [line.strip() for line in examples.strip().splitlines()]
        self.params += common_options()

    def get_help(self, ctx: click.Context) -> str:
        """Click's own, with what a plugin brings into it escaped."""
        return printable_text(super().get_help(ctx))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Print the examples after the options."""
        super().format_epilog(ctx, formatter)
        if not self.examples:
            return
        with formatter.section("Examples"):
            for line in self.examples:
                formatter.write(f"{'':{formatter.current_indent}}{line}\n")


class Verb(_WithExamples):
    """A verb of ``vtk``, with examples in its help.

    Args:
        examples: commands, one a line, printed as they are.
    """


class VerbGroup(_WithExamples, click.Group):
    """A verb that does something by itself and has verbs of its own."""
