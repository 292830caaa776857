"""Checks a recipe's tree against its schema and puts every fault in words, at its place."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from toolkit.recipe.nodes import (
    DEFAULT,
    ListNode,
    MapNode,
    Mark,
    Node,
    Path,
    ScalarNode,
    child,
    dotted,
    find,
    key_mark,
    to_python,
)
from toolkit.recipe.problems import Problem, mark_order
from toolkit.recipe.shape import Shape
from toolkit.recipe.wording import Fault, word

M = TypeVar("M", bound=BaseModel)

# More than anybody is shown. A recipe may hold thousands of faults, and each search for a remedy takes milliseconds.
_WORDED = 50


def validate(schema: type[M], root: MapNode, *, at: Path = ()) -> tuple[M | None, list[Problem]]:
    """The typed recipe, or what is wrong with it.

    Args:
        schema: a strict pydantic model.
        root: the tree to check.
        at: the path of ``root`` in the recipe, for the keys in messages.

    Returns:
        the model and no problems, or None and at least one problem, in the order of the file.
    """
    # JSON rather than Python input: a YAML list may then stand for a tuple and text for a path, strictly otherwise.
    text = json.dumps(to_python(root))
    try:
        return schema.model_validate_json(text), []
    except ValidationError as error:
        faults = [_locate(item, Shape(schema), root) for item in error.errors(include_url=False)]
    groups = sorted(_grouped(faults), key=lambda group: mark_order(_mark(group, root)))
    return None, [_problem(group, root, at, brief=place >= _WORDED) for place, group in enumerate(groups)]


def _locate(error: Any, shape: Shape, root: Node) -> Fault:
    """Follows pydantic's location through schema and tree; the labels of union members in it are no keys."""
    path: list[str | int] = []
    current: Shape | None = shape
    found: Node | None = root
    section, in_union = None, False
    for part in error["loc"]:
        if current is not None and _is_label(current, part, found):
            in_union = in_union or current.chooser is None
            current = _member(current, part)
            continue
        path.append(part)
        section = None if current is None else current.section(found)
        current = None if current is None else current.item(part, found)
        found = None if found is None else child(found, part)
    return Fault(error["type"], error.get("ctx", {}), error["msg"], tuple(path), section, current, found, in_union)


def _is_label(shape: Shape, part: str | int, node: Node | None) -> bool:
    if len(shape.alternatives) == 1:
        return False
    if shape.chooser is not None:
        return str(part) in shape.variants
    return isinstance(part, str) and (not isinstance(node, MapNode) or part not in node.entries)


def _member(shape: Shape, label: str | int) -> Shape:
    """The union's member that a label names; the union itself where the label names none of its sections."""
    if str(label) in shape.variants:
        return Shape(shape.variants[str(label)])
    for member in shape.alternatives:
        name = None if member.model is None else member.model.__name__
        if name is not None and (label == name or str(label).endswith(f", {name}]")):  # in a validator's brackets
            return member
        if str(label).startswith(("list[", "dict[")) and str(member.annotation).startswith(str(label)[:4]):
            return member
    return shape


@dataclass(frozen=True)
class _Group:
    """The faults of one place; several where a union's members each found their own."""

    path: Path
    faults: Sequence[Fault]


def _grouped(faults: Sequence[Fault]) -> Iterator[_Group]:
    by_path: dict[Path, list[Fault]] = {}
    for fault in faults:
        by_path.setdefault(fault.path, []).append(fault)
    within = {path[:length] for path in by_path for length in range(len(path))}
    for path, found in by_path.items():
        if path in within and all(fault.in_union for fault in found):
            continue  # one member of the union fitted well enough to look inside; its faults say more
        yield _Group(path, found)


def _problem(group: _Group, root: MapNode, at: Path, *, brief: bool) -> Problem:
    """``brief`` leaves out how to mend it, which takes a search through the schema."""
    first, path = group.faults[0], (*at, *group.path)
    if first.kind in ("union_tag_invalid", "union_tag_not_found") and first.shape is not None and first.shape.chooser:
        path = (*path, first.shape.chooser)
    return Problem(_mark(group, root), dotted(path), first.message if brief else word(group.faults, root))


def _mark(group: _Group, root: MapNode) -> Mark:
    kind = group.faults[0].kind
    if kind == "extra_forbidden":
        return key_mark(root, group.path)
    if kind == "missing":
        return _nearest_mark(root, group.path[:-1])
    node = find(root, group.path)
    if kind == "union_tag_invalid" and isinstance(node, MapNode):
        shape = group.faults[0].shape
        name = node.get(shape.chooser or "name") if shape is not None else None
        node = name or node
    if isinstance(node, ScalarNode | ListNode) and node.mark != DEFAULT:
        return node.mark
    return _nearest_mark(root, group.path)


def _nearest_mark(root: MapNode, path: Path) -> Mark:
    """Where the key at ``path``, or the closest key above it that the user wrote, stands."""
    for length in range(len(path), -1, -1):
        if length == 0 or find(root, path[:length]) is not None:
            mark = key_mark(root, path[:length])
            if mark != DEFAULT:
                return mark
    return root.mark
