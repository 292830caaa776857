"""Checks a recipe's tree against its schema and puts every fault in words, at its place."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from toolkit.recipe.contradictions import place_of_contradiction
from toolkit.recipe.mark import DEFAULT, Mark
from toolkit.recipe.problems import Problem, mark_order
from toolkit.recipe.schema.messages import Fault, word
from toolkit.recipe.schema.shape import Shape
from toolkit.recipe.yaml.nodes import (
    ListNode,
    MapNode,
    Node,
    Path,
    ScalarNode,
    child,
    dotted,
    find,
    key_mark,
    to_python,
)

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
        walk = _Walk(_Step((), None, Shape(schema), root, in_union=False))
        faults = [_fault(item, walk.to(item["loc"])) for item in error.errors(include_url=False)]
    groups = sorted(_grouped(faults), key=lambda group: mark_order(_mark(group, root)))
    return None, [_problem(group, root, at, brief=place >= _WORDED) for place, group in enumerate(groups)]


@dataclass(frozen=True)
class _Step:
    """Where a part of pydantic's location leads: see :class:`Fault`."""

    path: Path
    section: type[BaseModel] | None
    shape: Shape | None
    node: Node | None
    in_union: bool


class _Walk:
    """Follows pydantic's locations through schema and tree; the labels of union members in them are no keys.

    Thousands of faults may lie in one section, to which the way is looked for once.
    """

    def __init__(self, start: _Step) -> None:
        self._known: dict[tuple[str | int, ...], _Step] = {(): start}

    def to(self, location: tuple[str | int, ...]) -> _Step:
        """The step at the end of a location."""
        if location not in self._known:
            self._known[location] = _next(self.to(location[:-1]), location[-1])
        return self._known[location]


def _next(step: _Step, part: str | int) -> _Step:
    shape, node = step.shape, step.node
    if shape is not None and _is_label(shape, part, node):
        return replace(step, shape=_member(shape, part), in_union=step.in_union or shape.chooser is None)
    return _Step(
        path=(*step.path, part),
        section=None if shape is None else shape.section(node),
        shape=None if shape is None else shape.item(part, node),
        node=None if node is None else child(node, part),
        in_union=step.in_union,
    )


def _fault(error: Any, step: _Step) -> Fault:
    return Fault(error["type"], error.get("ctx", {}), error["msg"], **vars(step))


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
    if first.kind == "value_error" and isinstance(first.node, MapNode):
        mark, others = place_of_contradiction(word(group.faults, root), first.node, root.mark)
        if mark is not None:
            return Problem(mark, dotted(path), word(group.faults, root) + others)
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
