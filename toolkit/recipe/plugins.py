"""Loads the plugins that a recipe names, and tells a bad name at its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from toolkit.errors import ExitCode, VtkError, suggest
from toolkit.hooks.catalogue import Catalogue
from toolkit.hooks.entry import Kind, LoadedPlugin, Plugin
from toolkit.hooks.lint import implementation, lint, required, truncate_list
from toolkit.hooks.loading import load, remedy
from toolkit.hooks.manager import check_registration
from toolkit.hooks.results import owner_name, type_name, wrong_answer
from toolkit.hooks.trace import call_early
from toolkit.recipe.mark import Mark
from toolkit.recipe.problems import Problem, RecipeError, shortened
from toolkit.recipe.reserved_flags import RESERVED_FLAGS
from toolkit.recipe.schema.defaults import bad_defaults
from toolkit.recipe.schema.shape import Shape, shape_at
from toolkit.recipe.sections import Recipe
from toolkit.recipe.yaml.nodes import MapNode, Node, ScalarNode
from toolkit.section import Section
from toolkit.types.options import Option


def load_task(node: Node | None, top: Mark, catalogue: Catalogue) -> LoadedPlugin:
    """The plugin of the task that ``node`` names, imported, checked, with its schema.

    Raises:
        RecipeError: no task is named, or one that does not exist.
        VtkError: the plugin is disabled, broken, or claimed by two distributions.
    """
    names = ", ".join(catalogue.names("task")) or "none"
    if node is None:
        message = f"this key is missing; it names what the recipe does. Installed tasks: {names}"
        raise RecipeError([Problem(top, "task", message)])
    if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
        raise RecipeError([Problem(node.mark, "task", f"wants the name of a task. Installed tasks: {names}")])
    return load_plugin(node.value, "task", "task", node.mark, catalogue)


def load_plugin(name: str, kind: Kind, key: str, mark: Mark, catalogue: Catalogue) -> LoadedPlugin:
    """The named plugin, imported, checked, with its schema. ``key`` and ``mark`` say where it was named."""
    if not catalogue.knows(name, kind):
        raise unknown(name, kind, key, mark, catalogue)
    try:
        entry = catalogue.find(name, kind)
        if entry not in catalogue.loaded:
            catalogue.loaded[entry] = load_entry(entry)
        return catalogue.loaded[entry]
    except VtkError as error:
        raise VtkError(error.message, place=error.place or str(mark), hint=error.hint, code=error.code) from error


def load_entry(entry: Plugin) -> LoadedPlugin:
    """A plugin of the catalogue, imported, checked, with its schema."""
    plugin = load(entry)
    lint(plugin, entry)
    found = LoadedPlugin(entry, plugin, _schema(plugin, entry))
    check_registration(found)
    return found


def unknown(name: str, kind: Kind, key: str, mark: Mark, catalogue: Catalogue) -> RecipeError:
    """A misspelt name is the recipe's fault; a name that nothing resembles is a plugin that is not installed."""
    names = catalogue.names(kind)
    if any(p.kind == kind and p.goes_by(name) for p in catalogue.hidden):
        wanted = f'beside=[entry_of("{name}", "{kind}")]'
        message = f"the {kind} {name!r} is installed, but hidden while a test runs; name it there: {wanted}"
        return RecipeError([Problem(mark, key, message)], code=ExitCode.UNAVAILABLE)
    meant, name = suggest(name, names), shortened(name)
    if meant:
        message = f"no {kind} is called {name!r}; {meant}"
        return RecipeError([Problem(mark, key, message)])
    message = f"no {kind} is called {name!r}; installed: {', '.join(names) or 'none'}"
    hint = "if it comes from another package, install that first; `vtk plugins` lists what is installed"
    return RecipeError([Problem(mark, key, message)], hint=hint, code=ExitCode.UNAVAILABLE)


def options_of(task: LoadedPlugin) -> Sequence[Option]:
    """The command-line flags that the task declares.

    Raises:
        VtkError: something that is no flag, a flag that a verb has itself, or one for a key that the schema lacks.
    """
    hook, entry = implementation(task.plugin, "vtk_options"), task.entry
    options = (call_early(entry, "vtk_options", hook) if hook else None) or ()
    if not (isinstance(options, list | tuple) and all(isinstance(option, Option) for option in options)):
        wanted = "it must return a list of toolkit.Option, or None"
        raise wrong_answer(f"vtk_options of {owner_name(entry)} returned {type_name(options)}", wanted)
    if ungiven := [fault for option in options for fault in _ungiven(option.flag)]:
        raise VtkError(
            f"the {entry.kind} {entry.name!r} of {entry.owner} has flags that cannot be given:\n"
            f"{truncate_list(ungiven)}",
            hint=f"its author must give them other names, e.g. --my-size; {remedy(entry)}",
            code=ExitCode.UNAVAILABLE,
        )
    if astray := [option for option in options if not has_key(task.schema, option.key)]:
        raise VtkError(
            f"the {entry.kind} {entry.name!r} of {entry.owner} has flags that lead nowhere:\n"
            f"{truncate_list([_astray(task.schema, option) for option in astray])}",
            hint=f"entry point {entry.value}; {remedy(entry)}",
            code=ExitCode.UNAVAILABLE,
        )
    return options


def _ungiven(flag: str) -> Iterator[str]:
    """Why the command line cannot take a task's flag."""
    if not flag.startswith("--") or flag == "--":
        yield f"{flag}: a flag starts with -- and has a name"
    elif verbs := RESERVED_FLAGS.get(flag):
        yield f"{flag}: that is an option of {', '.join(f'vtk {verb}' for verb in verbs.split())}"


def has_key(schema: type[Section], key: str) -> bool:
    """Whether a recipe may have the dotted ``key``, if only with some sections of a choice."""
    path = tuple(int(part) if part.isdigit() else part for part in key.split("."))
    if shape_at(schema, MapNode({}, Mark(key)), path) is not None:
        return True
    places = [Shape(schema)]
    for part in path:
        inner = [shape for place in places for shape in place.parts]
        fields = [shape.model.model_fields.get(str(part)) for shape in inner if shape.model is not None]
        places = inner if isinstance(part, int) else [Shape.of_field(field) for field in fields if field is not None]
    return bool(places)


def _astray(schema: type[Section], option: Option) -> str:
    from toolkit.recipe.schema.key_rows import own_keys

    meant = suggest(option.key, [row["key"] for row in own_keys(schema)])
    return f"{option.flag}: the schema has no key {option.key!r}{meant and '; '}{meant}"


def _schema(plugin: object, entry: Plugin) -> type[Section]:
    base = Recipe if entry.kind == "task" else Section
    hook = implementation(plugin, "vtk_config")
    if hook is None:
        return Section
    schema = call_early(entry, "vtk_config", hook)
    if entry.kind == "extension" and schema is None:
        return Section
    required("vtk_config", schema, entry)
    if not (isinstance(schema, type) and issubclass(schema, base)):
        raise VtkError(
            f"vtk_config of the {entry.kind} {entry.name!r} ({entry.owner}) returned {schema!r}",
            hint=f"it must return a subclass of toolkit.{base.__name__}",
            code=ExitCode.UNAVAILABLE,
        )
    if faults := list(bad_defaults(schema)):
        raise VtkError(
            f"the schema of the {entry.kind} {entry.name!r} ({entry.owner}) is faulty:\n{truncate_list(faults)}",
            hint=f"its author must mend this; {remedy(entry)}",
            code=ExitCode.UNAVAILABLE,
        )
    return schema
