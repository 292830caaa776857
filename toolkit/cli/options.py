"""Options that several verbs share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import click

Decorator = Callable[[Any], Any]


class Number(click.FloatRange):
    """A number above 0, up to ``most``. Click lets NaN pass, which is neither below nor above a bound."""

    def __init__(self, most: float) -> None:
        super().__init__(min=0, min_open=True, max=most)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is not in the range {self._describe_range()}.", param, ctx)
        return number


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
