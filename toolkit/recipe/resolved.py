"""A recipe that is ready to run, and how it is written down."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from toolkit.hooks.entry import LoadedPlugin
from toolkit.recipe.sections import Recipe
from toolkit.recipe.yaml.scalars import resolve
from toolkit.section import Section

_WIDTH = 110


@dataclass(frozen=True)
class ResolvedRecipe:
    """A validated recipe with everything filled in.

    Args:
        recipe: typed, of the task's own subclass of ``toolkit.Recipe``; its ``extensions`` hold the options in full,
            and ``false`` for those that were left out.
        task: the task's plugin.
        plugins: the extensions' plugins by name, in the recipe's order.
        extensions: their options by name, in the same order.
        origins: where each value came from, by dotted key: ``recipes/a.yaml:3:5``, the same with ``(demo)``,
            ``--set a.b=c``, a task's flag, ``default``, or ``auto: `` with the reason why it was settled so.
        source: the recipe as the user would name it.
        demo: whether the recipe's demo overlay was applied.
        item_origins: of the items of lists of plain values, which have one origin as a whole there.
    """

    recipe: Recipe
    task: LoadedPlugin
    plugins: Mapping[str, LoadedPlugin]
    extensions: Mapping[str, Section]
    origins: Mapping[str, str]
    source: str
    demo: bool
    item_origins: Mapping[str, str] = field(default_factory=dict)

    def place_of(self, key: str) -> str | None:
        """Where a value, or an item of a list of them (``data.classes.0``), was written, for errors."""
        return self.item_origins.get(key) or self.origins.get(key) or self.origins.get(key.rpartition(".")[0])

    def settled(self, section: str, key: str, value: Any, origin: str) -> ResolvedRecipe:
        """The same with one value of a section settled, e.g. what ``auto`` comes to on this machine."""
        part = getattr(self.recipe, section).model_copy(update={key: value})
        recipe = self.recipe.model_copy(update={section: part})
        return replace(self, recipe=recipe, origins={**self.origins, f"{section}.{key}": origin})

    def to_dict(self) -> dict[str, Any]:
        """The whole recipe as plain data; loading it again gives an equal recipe."""
        data = self.recipe.model_dump(mode="json")
        return {**data, "demo": True} if self.demo else data

    def to_json(self) -> str:
        """The whole recipe as one JSON document, which is YAML too."""
        return json.dumps(self.to_dict(), indent=2)

    def to_yaml(self) -> str:
        """The whole recipe as YAML with a comment on top; loading it again gives an equal recipe."""
        head = f"# Every value of this run, resolved from {' '.join(self.source.split())}\n"
        if self.demo:
            head += "# This is a demo: the demo overlay of the recipe has been applied.\n"
        for key, origin in self.origins.items():
            head += f"# {key} was {origin}\n" if origin.startswith("auto: ") else ""
        return head + dump_yaml(self.to_dict())


def dump_yaml(data: Any, *, flow: bool = False) -> str:
    """Plain data as YAML that the recipe loader reads back to the same data; in one line with ``flow``."""
    width = math.inf if flow else _WIDTH
    text: str = yaml.dump(
        data, Dumper=_Dumper, default_flow_style=flow, sort_keys=False, allow_unicode=True, width=width
    )
    return text.removesuffix("...\n").strip() if flow else text


class _Dumper(yaml.SafeDumper):
    """Quotes what the recipe loader would take for something else than text, e.g. ``1e-3``."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: Any, text: str) -> Any:
    try:
        plain = resolve(text) == text
    except ValueError:
        plain = False
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_representer(str, _text)
