"""The names that tasks cannot take are those of the commands themselves."""

from __future__ import annotations

import click

from toolkit.cli.app import VERBS, cli
from toolkit.cli.target import RecipeVerb
from toolkit.recipe.reserved_flags import RESERVED_FLAGS


def test_every_flag_of_a_verb_that_takes_a_tasks_flags_is_reserved() -> None:
    found: dict[str, list[str]] = {}
    context = click.Context(cli)
    for verb in VERBS:
        command = cli.get_command(context, verb)
        if isinstance(command, RecipeVerb):
            for param in command.get_params(click.Context(command, parent=context)):
                for flag in [*param.opts, *param.secondary_opts] if isinstance(param, click.Option) else ():
                    found.setdefault(flag, []).append(verb)
    assert {flag: verbs.split() for flag, verbs in RESERVED_FLAGS.items()} == found
