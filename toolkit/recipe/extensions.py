"""Which extensions a recipe asks for, in what order, with what options."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import BaseModel

from toolkit.errors import ExitCode
from toolkit.hooks.catalogue import Catalogue
from toolkit.hooks.entry import LoadedPlugin
from toolkit.recipe.mark import DEFAULT
from toolkit.recipe.plugins import load_plugin
from toolkit.recipe.problems import Problem, RecipeError
from toolkit.recipe.schema.shape import field_default, fill_names
from toolkit.recipe.schema.validate import validate
from toolkit.recipe.yaml.merge import overlay
from toolkit.recipe.yaml.nodes import Entry, MapNode, Node, ScalarNode, from_python, mapping
from toolkit.section import Section

DEFAULT_EXTENSIONS = ("checkpoints", "metrics", "tensorboard", "progress")


@dataclass
class ExtensionSet:
    """The extensions of one recipe.

    Args:
        plugins, options: by the plugin's own name, in the recipe's order, without those that were left out. The recipe
            may have named one as ``distribution:name``; the plugin itself asks for its options by its own name.
        entries: the recipe's ``extensions`` with all options filled in, under the names that the recipe uses.
        problems, code: what is wrong with names and options, and the exit code for it.
        misplaced: what stands in the place of the extensions and is no mapping.
    """

    plugins: dict[str, LoadedPlugin] = field(default_factory=dict)
    options: dict[str, Section] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    code: ExitCode = ExitCode.RECIPE
    misplaced: Node | None = None

    @property
    def node(self) -> Node:
        """What the recipe's own schema is to check as ``extensions``."""
        return self.misplaced or MapNode(self.entries, DEFAULT)

    def add(self, name: str, entry: Entry, catalogue: Catalogue) -> None:
        """Loads one extension and validates its options; a problem is noted, a broken plugin raised."""
        self.entries[name] = entry
        node = entry.node
        if isinstance(node, ScalarNode) and node.value in (None, True):
            node = MapNode({}, node.mark)
        if not isinstance(node, MapNode):
            return  # `false`, or a mistake that the recipe's own schema names
        try:
            plugin = load_plugin(name, "extension", f"extensions.{name}", entry.key, catalogue)
        except RecipeError as error:
            self.problems += error.problems
            self.code = error.code
            return
        own = plugin.entry.name
        if own in self.plugins:
            self.problems.append(_second(name, entry, self.plugins[own]))
            return
        options, problems = validate(plugin.schema, fill_names(node, plugin.schema), at=("extensions", name))
        self.problems += problems
        if options is not None:
            self.plugins[own], self.options[own] = plugin, options
            self.entries[name] = Entry(entry.key, from_python(options.model_dump(mode="json"), entry.key))


def resolve_extensions(root: MapNode, schema: type[BaseModel], catalogue: Catalogue) -> ExtensionSet:
    """The default extensions first, then those that the task's schema has by default, then the recipe's own."""
    wanted = root.get("extensions")
    if wanted is not None and not isinstance(wanted, MapNode):
        return ExtensionSet(misplaced=wanted)
    defaults = {name: None for name in DEFAULT_EXTENSIONS if catalogue.has(name, "extension")}
    own = field_default(schema.model_fields["extensions"])
    base = mapping({**defaults, **own}, DEFAULT)
    found = ExtensionSet()
    for name, entry in _joined(base, wanted, catalogue).entries.items():
        found.add(name, entry, catalogue)
    return found


def _joined(base: MapNode, wanted: MapNode | None, catalogue: Catalogue) -> MapNode:
    """What the recipe wants over the defaults; a default that it names by the full name stands there only."""
    if wanted is None:
        return base
    full = {catalogue.named(name, "extension") for name in wanted.entries if ":" in name} - {None}
    defaults = [name for name in base.entries if name not in wanted.entries]
    renamed = [name for name in defaults if catalogue.named(name, "extension") in full]
    return overlay(base.without(*renamed), wanted)


def _second(name: str, entry: Entry, first: LoadedPlugin) -> Problem:
    own = first.entry.name
    message = f"a second extension called {own!r}, beside that of {first.entry.distribution}; set one of them to false"
    return Problem(entry.key, f"extensions.{name}", message)
