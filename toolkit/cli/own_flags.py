"""The flags that the verbs have themselves, which a task therefore cannot give them."""

from __future__ import annotations

from functools import cache

import click


@cache
def own_flags() -> dict[str, tuple[str, ...]]:
    """Each flag of a verb that takes flags of tasks, with the verbs that have it, read off the commands themselves."""
    from toolkit.cli.app import VERBS, cli
    from toolkit.cli.target import RecipeVerb

    found: dict[str, tuple[str, ...]] = {}
    context = click.Context(cli)
    for verb in VERBS:
        command = cli.get_command(context, verb)
        if not isinstance(command, RecipeVerb):
            continue
        for param in command.get_params(click.Context(command, parent=context)):
            for flag in [*param.opts, *param.secondary_opts] if isinstance(param, click.Option) else ():
                found[flag] = (*found.get(flag, ()), verb)
    return found
