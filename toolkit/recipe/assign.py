"""Values given on the command line: ``--set a.b=c`` and the flags that a task declares."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from toolkit.errors import ExitCode, VtkError
from toolkit.recipe.mark import DEFAULT, Mark
from toolkit.recipe.problems import Problem, RecipeError
from toolkit.recipe.schema.shape import Shape, field_default, fill_names, shape_at
from toolkit.recipe.yaml.merge import merge
from toolkit.recipe.yaml.nodes import Entry, ListNode, MapNode, Node, Path, ScalarNode, dotted, from_python
from toolkit.recipe.yaml.scalars import check_text, resolve
from toolkit.recipe.yaml.text import MAX_DEPTH, compose
from toolkit.types.options import Option

_PART = re.compile(r"[^.\s\[\]]+")
_SHOWN = 60


@dataclass(frozen=True)
class Assignment:
    """A value for one key, from the command line."""

    path: Path
    node: Node
    mark: Mark


def parse_set(text: str) -> Assignment:
    """``a.b=c`` as given to ``--set``; the value is read as YAML, so ``[1, 2]`` is a list.

    Raises:
        VtkError: malformed, with the usage exit code.
        RecipeError: a value that is not YAML.
    """
    key, equals, value = text.partition("=")
    if not equals:
        raise VtkError(
            f"--set {text}: no '='", hint="write --set key=value, e.g. --set train.epochs=3", code=ExitCode.USAGE
        )
    mark = Mark(f"--set {_cut(text)}")
    return Assignment(_path(key, mark), _value(value, mark), mark)


def parse_flag(option: Option, values: Sequence[str], schema: type[BaseModel], root: Node) -> Assignment:
    """The value or values of a task's flag. Text stays text where the recipe's key takes any text."""
    mark = Mark(option.flag if option.multiple else f"{option.flag} {_cut(' '.join(values))}".rstrip())
    path = _path(option.key, mark)
    shape = shape_at(schema, root, path)
    if option.multiple:
        inner = None if shape is None else shape.item(0, None)
        return Assignment(path, ListNode(tuple(_scalar(v, inner, mark) for v in values), mark), mark)
    return Assignment(path, _scalar(values[-1], shape, mark), mark)


def apply(root: MapNode, assignments: Sequence[Assignment], schema: type[BaseModel]) -> MapNode:
    """``root`` with the assignments laid over it.

    Shorter keys go first, and a section's ``name`` before its other keys, so that choosing another section never
    drops a key that was set for it. Of two values for one key the later wins.
    """
    for item in sorted(assignments, key=_rank):
        root = _into_mapping(fill_names(root, schema), (), item, schema)
    return root


def _rank(item: Assignment) -> tuple[int, bool]:
    return len(item.path), item.path[-1] != "name"


def _path(key: str, mark: Mark) -> Path:
    parts = key.strip().split(".")
    if not all(_PART.fullmatch(part) for part in parts):
        hint = "write keys with dots and list items with their number, e.g. stages.0.epochs"
        raise VtkError(f"{key.strip()!r} is not a recipe key", place=str(mark), hint=hint, code=ExitCode.USAGE)
    if len(parts) > MAX_DEPTH:
        raise VtkError(f"nested more than {MAX_DEPTH} levels deep", place=str(mark), code=ExitCode.USAGE)
    return tuple(int(part) if part.isascii() and part.isdigit() and len(part) < 10 else part for part in parts)


def _value(text: str, mark: Mark) -> Node:
    stripped = text.strip()
    node = compose(stripped, lambda line, column: mark)
    if node is None or (isinstance(node, ScalarNode) and node.plain and node.text != stripped):
        # A '#' would cut the text short as a comment; on a command line it is meant.
        return _scalar(stripped, None, mark)
    return node


def _scalar(text: str, shape: Shape | None, mark: Mark) -> ScalarNode:
    try:
        check_text(text)
        value = text if shape is not None and shape.takes_any_text else resolve(text)
    except ValueError as error:
        raise RecipeError([Problem(mark, "", str(error))]) from None
    return ScalarNode(value, mark, text)


def _assign(node: Node | None, done: Path, item: Assignment, schema: type[BaseModel]) -> Node:
    if len(done) == len(item.path):
        return item.node if node is None else merge(node, item.node)
    if isinstance(node, ListNode):
        return _into_list(node, done, item, schema)
    return _into_mapping(node if isinstance(node, MapNode) else MapNode({}, item.mark), done, item, schema)


def _into_mapping(node: MapNode, done: Path, item: Assignment, schema: type[BaseModel]) -> MapNode:
    rest = item.path[len(done) :]
    key = str(rest[0])
    below = node.get(key)
    if below is None and len(rest) > 1:
        below = _default_list(schema, (*done, key))
    over = _assign(below, (*done, key), item, schema)
    if len(rest) == 1 and _chooses(schema, item, done):
        return node if _same(node.get(key), over) else MapNode({key: Entry(item.mark, over)}, item.mark)
    return node.with_entry(key, Entry(item.mark, over))


def _chooses(schema: type[BaseModel], item: Assignment, section: Path) -> bool:
    """Whether the key chooses among sections: then the other section replaces this one, by the overlay rule."""
    shape = shape_at(schema, MapNode({}, item.mark), section)
    return shape is not None and shape.chooser == item.path[-1] == "name"


def _same(old: Node | None, new: Node) -> bool:
    return isinstance(old, ScalarNode) and isinstance(new, ScalarNode) and old.value == new.value


def _into_list(node: ListNode, done: Path, item: Assignment, schema: type[BaseModel]) -> ListNode:
    part = item.path[len(done)]
    if not isinstance(part, int) or part >= len(node.items):
        count = len(node.items)
        there = f"numbers 0 to {count - 1}" if count else "it is empty"
        raise RecipeError([Problem(item.mark, dotted(done), f"a list of {count} has no item {part!r}; {there}")])
    items = list(node.items)
    items[part] = _assign(items[part], (*done, part), item, schema)
    return ListNode(tuple(items), node.mark)


def _default_list(schema: type[BaseModel], path: Path) -> Node | None:
    """The default of a top-level list, so that one of its items can be changed without writing it out."""
    field = schema.model_fields.get(str(path[0])) if len(path) == 1 else None
    value = None if field is None else field_default(field)
    if not isinstance(value, list):
        return None
    return from_python([v.model_dump(mode="json") if isinstance(v, BaseModel) else v for v in value], DEFAULT)


def flag_assignments(
    options: Sequence[Option], values: Mapping[str, Sequence[str]], schema: type[BaseModel], root: Node
) -> list[Assignment]:
    """The assignments of the flags that were given, by flag.

    Raises:
        VtkError: for a flag that the task does not have.
    """
    known = {option.flag: option for option in options}
    for flag in values:
        if flag not in known:
            have = ", ".join(known) or "none"
            raise VtkError(
                f"no such flag for this task: {flag}", hint=f"flags of the task: {have}", code=ExitCode.USAGE
            )
    return [parse_flag(known[flag], given, schema, root) for flag, given in values.items() if given]


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"
