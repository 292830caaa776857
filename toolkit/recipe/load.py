"""From a recipe's name or path to a recipe that is ready to run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from pathlib import Path

from toolkit.errors import ExitCode, VtkError
from toolkit.hooks.catalogue import Catalogue
from toolkit.hooks.entry import LoadedPlugin
from toolkit.recipe.assign import Assignment, apply, flag_assignments, parse_set
from toolkit.recipe.extensions import resolve_extensions
from toolkit.recipe.mark import DEFAULT
from toolkit.recipe.plugins import load_task, options_of
from toolkit.recipe.problems import Problem, RecipeError
from toolkit.recipe.resolved import ResolvedRecipe
from toolkit.recipe.schema.ignored_keys import contradictions
from toolkit.recipe.schema.shape import fill_names
from toolkit.recipe.schema.validate import validate
from toolkit.recipe.sections import Recipe
from toolkit.recipe.source import Document, extends_chain, parse_document, read_document
from toolkit.recipe.yaml.merge import overlay
from toolkit.recipe.yaml.nodes import Entry, ListNode, MapNode, Node, ScalarNode, dotted, find, leaves
from toolkit.types.options import Option

_FILE_KEYS = ("extends", "demo")
_LONGEST_NAME = 100


class Reading:
    """The files of a recipe, read once, and what their task's plugin says; serves for a whole command.

    Args:
        source: as for :func:`load_recipe`.
        catalogue: the plugins to choose from; by default those that are installed.

    Raises:
        VtkError: no such recipe, or one that it extends is missing.
        RecipeError: one of the files is not YAML within the limits.
    """

    def __init__(self, source: str | Path | Document, catalogue: Catalogue | None = None) -> None:
        self.document = source if isinstance(source, Document) else read_document(source)
        self.chain = extends_chain(self.document)
        self.catalogue = catalogue or Catalogue()
        self._options: dict[str, Sequence[Option]] = {}

    def task(self, assignments: Sequence[Assignment] = (), *, demo: bool = False) -> LoadedPlugin:
        """The plugin of the task that the topmost layer names."""
        node = _task_node(self.chain, assignments, demo=demo)
        return load_task(node, self.document.root.mark, self.catalogue)

    def options(self, task: LoadedPlugin | None = None) -> Sequence[Option]:
        """The command-line flags that the task declares, without validating the recipe."""
        task = task or self.task()
        name = task.entry.full_name
        if name not in self._options:
            self._options[name] = options_of(task)
        return self._options[name]


def load_recipe(
    source: str | Path | Reading,
    *,
    sets: Sequence[str] = (),
    flags: Iterable[tuple[str, str]] = (),
    demo: bool = False,
    catalogue: Catalogue | None = None,
) -> ResolvedRecipe:
    """Finds, reads, merges, validates and completes a recipe.

    Args:
        source: a file's path, a shipped recipe's name, a run's directory, or an image that carries its recipe; or what
            was read of it before, together with the plugins to choose from.
        sets: ``key=value`` as given to ``--set``, applied last.
        flags: the task's own flags with their values, e.g. ``("--content", "a.jpg")``; a flag may come repeatedly.
        demo: apply the recipe's demo overlay.
        catalogue: the plugins to choose from; by default those that are installed.

    Raises:
        RecipeError: the recipe is at fault; holds every problem with its place.
        VtkError: no such recipe, or a plugin that cannot be had.
    """
    reading = source if isinstance(source, Reading) else Reading(source, catalogue)
    return _resolved(reading, sets=sets, flags=flags, demo=demo)


def load_text(
    text: str,
    *,
    name: str = "recipe",
    sets: Sequence[str] = (),
    flags: Iterable[tuple[str, str]] = (),
    demo: bool = False,
    catalogue: Catalogue | None = None,
) -> ResolvedRecipe:
    """Like :func:`load_recipe` for a recipe that is in no file; messages call it ``name``."""
    document = parse_document(text.encode("utf-8", errors="surrogatepass"), display=name)
    return _resolved(Reading(document, catalogue), sets=sets, flags=flags, demo=demo)


def _resolved(reading: Reading, *, sets: Sequence[str], flags: Iterable[tuple[str, str]], demo: bool) -> ResolvedRecipe:
    document = reading.document
    assignments = [parse_set(text) for text in sets]
    task = reading.task(assignments, demo=demo)
    root, applied = _layered(reading, task.schema, demo=demo)
    if given := _by_flag(flags):
        root = apply(root, flag_assignments(reading.options(task), given, task.schema, root), task.schema)
    root = fill_names(apply(root, assignments, task.schema), task.schema)
    if not _has_name(root):
        name = name_from(document.stem)
        root = root.with_entry("name", Entry(DEFAULT, ScalarNode(name, DEFAULT, name, plain=False)))
    return _completed(root, task, reading, demo=applied)


def _by_flag(flags: Iterable[tuple[str, str]]) -> Mapping[str, Sequence[str]]:
    given: dict[str, list[str]] = {}
    for flag, value in flags:
        given.setdefault(flag, []).append(value)
    return given


def name_from(stem: str) -> str:
    """A file's name as a recipe's: bytes that are no UTF-8 become their numbers, what is too long is cut."""
    readable = "".join(f"-{ord(c) - 0xDC00:02x}" if 0xDC80 <= ord(c) <= 0xDCFF else c for c in stem)
    return readable[:_LONGEST_NAME]


def _has_name(root: MapNode) -> bool:
    node = root.get("name")
    return node is not None and not (isinstance(node, ScalarNode) and node.value == "")


def _task_node(chain: Sequence[Document], assignments: Sequence[Assignment], *, demo: bool) -> Node | None:
    """The value of ``task`` in the topmost layer that has one."""
    for item in reversed(assignments):
        if item.path == ("task",):
            return item.node
    roots = [document.root for document in reversed(chain)]
    overlays = [overlay for root in roots if demo and isinstance(overlay := root.get("demo"), MapNode)]
    return next((node for root in [*overlays, *roots] if (node := root.get("task")) is not None), None)


def _layered(reading: Reading, schema: type[Recipe], *, demo: bool) -> tuple[MapNode, bool]:
    """The files of one recipe, laid over one another; and whether its demo overlay is among them."""

    def lay(root: MapNode, over: MapNode) -> MapNode:
        return overlay(fill_names(root, schema), over)

    root = reduce(lay, (document.root for document in reading.chain))
    changes = root.get("demo")
    applied = isinstance(changes, ScalarNode) and changes.value is True  # a run's own recipe, which was one
    root = root.without(*_FILE_KEYS).at(reading.document.root.mark)
    if demo and not applied:
        return lay(root, _demo_overlay(changes, reading.document.display)), True
    if changes is not None and not (applied or _is_none(changes) or isinstance(changes, MapNode)):
        raise _not_a_demo(changes)
    return root, applied


def _demo_overlay(changes: Node | None, display: str) -> MapNode:
    if changes is None or _is_none(changes):
        raise VtkError(
            "this recipe has no demo",
            place=display,
            hint="add a 'demo:' section to it, or run it without --demo",
            code=ExitCode.USAGE,
        )
    if not isinstance(changes, MapNode):
        raise _not_a_demo(changes)
    for key in _FILE_KEYS:
        if key in changes.entries:
            mark = changes.entries[key].key
            raise RecipeError([Problem(mark, f"demo.{key}", "not allowed inside the demo overlay")])
    return MapNode({key: entry.noted("demo") for key, entry in changes.entries.items()}, changes.mark)


def _is_none(changes: Node | None) -> bool:
    return changes is None or (isinstance(changes, ScalarNode) and changes.value in (None, False))


def _not_a_demo(changes: Node) -> RecipeError:
    return RecipeError([Problem(changes.mark, "demo", "wants a section with the keys that a demo changes")])


def _completed(root: MapNode, task: LoadedPlugin, reading: Reading, *, demo: bool) -> ResolvedRecipe:
    """Validates the merged tree and puts the result together."""
    extensions = resolve_extensions(root, task.schema, reading.catalogue)
    wanted = root.entries.get("extensions")
    complete = root.with_entry("extensions", Entry(DEFAULT if wanted is None else wanted.key, extensions.node))
    recipe, problems = validate(task.schema, complete)
    if recipe is not None:
        problems = list(contradictions(recipe, complete))
    if problems or extensions.problems or recipe is None:
        found = sorted([*problems, *extensions.problems], key=lambda problem: problem.order)
        raise RecipeError(found, code=ExitCode.RECIPE if problems else extensions.code)
    origins, item_origins = _origins(root, recipe)
    return ResolvedRecipe(
        recipe=recipe,
        task=task,
        plugins=extensions.plugins,
        extensions=extensions.options,
        origins=origins,
        item_origins=item_origins,
        source=reading.document.display,
        demo=demo,
    )


def _origins(root: MapNode, recipe: Recipe) -> tuple[dict[str, str], dict[str, str]]:
    """Where each value came from, and of lists of plain values each item, by dotted key."""
    values: dict[str, str] = {}
    items: dict[str, str] = {}
    for path, _ in leaves(recipe.model_dump(mode="json")):
        node = find(root, path)
        values[dotted(path)] = (DEFAULT if node is None else node.mark).origin
        if isinstance(node, ListNode):
            items |= {dotted((*path, place)): item.mark.origin for place, item in enumerate(node.items)}
    return values, items
