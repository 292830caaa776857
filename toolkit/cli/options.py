"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

Decorator = Callable[[Any], Any]

sets_option: Decorator = click.option(
    "--set", "sets", multiple=True, metavar="KEY=VALUE", help="Change a recipe key, e.g. train.epochs=3. Repeatable."
)
demo_option: Decorator = click.option(
    "--demo",
    is_flag=True,
    help="Small stand-in data and a short run, as the recipe's demo says. Nothing is downloaded.",
)
device_option: Decorator = click.option(
    "--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:N or mps; instead of the recipe's."
)
json_option: Decorator = click.option(
    "--json", "as_json", is_flag=True, help="One JSON document on stdout; everything else goes to stderr."
)
