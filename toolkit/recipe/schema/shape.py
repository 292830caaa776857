"""Walks a recipe's schema, the pydantic models, in step with a recipe's tree.

A :class:`Shape` is what may stand at one place: a section, one of several sections chosen by ``name``, a list or a
mapping of such, or a value.
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from typing_extensions import TypeAliasType

from toolkit.recipe.mark import DEFAULT
from toolkit.recipe.yaml.nodes import Entry, ListNode, MapNode, Node, Path, ScalarNode, child


@dataclass(frozen=True)
class Shape:
    """A type annotation, and the key that chooses among its sections where there are several."""

    annotation: Any
    chooser: str | None = None

    @classmethod
    def of(cls, annotation: Any, chooser: str | None = None) -> Shape:
        """The shape of an annotation without its ``Annotated``, alias and ``| None`` layers."""
        while True:
            if isinstance(annotation, TypeAliasType):
                annotation = annotation.__value__
            elif get_origin(annotation) is Annotated:
                annotation, *extra = get_args(annotation)
                chooser = next(filter(None, map(_chooser, extra)), chooser)
            elif _is_union(annotation) and len(members := _members(annotation)) == 1:
                annotation = members[0]
            else:
                return cls(annotation, chooser)

    @classmethod
    def of_field(cls, field: FieldInfo) -> Shape:
        chooser = field.discriminator
        return cls.of(field.annotation, chooser if isinstance(chooser, str) else None)

    @property
    def model(self) -> type[BaseModel] | None:
        """The one section that may stand here, or None."""
        return self.annotation if _is_model(self.annotation) else None

    @cached_property
    def alternatives(self) -> tuple[Shape, ...]:
        """What a union allows; the shape itself where there is no choice."""
        if not _is_union(self.annotation):
            return (self,)
        return tuple(Shape.of(member) for member in _members(self.annotation))

    @property
    def parts(self) -> tuple[Shape, ...]:
        """Everything that may stand here, or as an item in it, or in an item of an item."""
        if _is_union(self.annotation):
            return tuple(part for shape in self.alternatives for part in shape.parts)
        return (self, *(part for item in _items(self.annotation) for part in item.parts))

    @cached_property
    def variants(self) -> Mapping[str, type[BaseModel]]:
        """The sections that the chooser's value selects among; empty where there is no chooser."""
        if self.chooser is None:
            return {}
        found: dict[str, type[BaseModel]] = {}
        for shape in self.alternatives:
            if shape.model is not None and self.chooser in shape.model.model_fields:
                for name in get_args(shape.model.model_fields[self.chooser].annotation):
                    found[str(name)] = shape.model
            elif shape.chooser == self.chooser:
                found.update(shape.variants)
        return found

    def section(self, node: Node | None) -> type[BaseModel] | None:
        """The section that ``node`` is an instance of, as far as can be told."""
        if self.model is not None:
            return self.model
        if self.chooser is not None and isinstance(node, MapNode):
            name = node.get(self.chooser)
            return self.variants.get(str(name.value)) if isinstance(name, ScalarNode) else None
        models = [shape.model for shape in self.alternatives if shape.model is not None]
        return models[0] if len(models) == 1 else None

    def item(self, part: str | int, node: Node | None) -> Shape | None:
        """The shape of what stands under a key or an index."""
        section = self.section(node)
        # Where nothing chooses among sections yet, any of them that has the key will do.
        for model in self.variants.values() if section is None else (section,):
            if str(part) in model.model_fields:
                return Shape.of_field(model.model_fields[str(part)])
        for shape in self.alternatives:
            inner = _inner(shape.annotation, part)
            if inner is not None:
                return inner
        return None

    @property
    def takes_any_text(self) -> bool:
        """Whether a value may be any text, and nothing but text."""
        kinds = {shape.annotation for shape in self.alternatives}
        text = {kind for kind in kinds if isinstance(kind, type) and issubclass(kind, str | PurePath)}
        return bool(text) and not kinds & {bool, int, float}


def shape_at(schema: type[BaseModel], root: Node, path: Path) -> Shape | None:
    """What the schema says of the place at ``path``; ``root`` tells which section a ``name`` chose on the way."""
    shape: Shape | None = Shape(schema)
    node: Node | None = root
    for part in path:
        shape = None if shape is None else shape.item(part, node)
        node = None if node is None else child(node, part)
    return shape


def field_default(field: FieldInfo) -> Any:
    """A field's default value, or ``PydanticUndefined``."""
    if field.default_factory is not None and field.default_factory_takes_validated_data:
        return PydanticUndefined
    return field.get_default(call_default_factory=True)


def fill_names(root: MapNode, schema: type[BaseModel]) -> MapNode:
    """Adds the name that a section goes by default to each section that has none, so that it is explicit."""
    return _fill_mapping(root, Shape(schema))


def _fill_mapping(node: MapNode, shape: Shape) -> MapNode:
    section = shape.section(node)
    entries = {}
    for key, entry in node.entries.items():
        inner, value = shape.item(key, node), entry.node
        if section is not None and key in section.model_fields:
            value = _with_name(value, inner, section.model_fields[key])
        entries[key] = Entry(entry.key, _fill(value, inner))
    return MapNode(entries, node.mark)


def _fill(node: Node, shape: Shape | None) -> Node:
    if shape is None or isinstance(node, ScalarNode):
        return node
    if isinstance(node, MapNode):
        return _fill_mapping(node, shape)
    return ListNode(tuple(_fill(item, shape.item(index, node)) for index, item in enumerate(node.items)), node.mark)


def _with_name(node: Node, shape: Shape | None, field: FieldInfo) -> Node:
    if shape is None or shape.chooser is None or not isinstance(node, MapNode) or shape.chooser in node.entries:
        return node
    name = getattr(field_default(field), shape.chooser, None)
    if name is None:
        return node
    return node.with_entry(shape.chooser, Entry(DEFAULT, ScalarNode(str(name), DEFAULT, str(name))))


def _chooser(extra: Any) -> str | None:
    found = getattr(extra, "discriminator", None)
    return found if isinstance(found, str) else None


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, types.UnionType)


def _members(annotation: Any) -> list[Any]:
    return [member for member in get_args(annotation) if member is not type(None)]


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _items(annotation: Any) -> tuple[Shape, ...]:
    """The shapes of a collection's items."""
    if not isinstance(get_origin(annotation), type):
        return ()
    return tuple(Shape.of(arg) for arg in get_args(annotation) if arg is not Ellipsis)


def _inner(annotation: Any, part: str | int) -> Shape | None:
    """The shape of the item under a key or an index of a collection."""
    origin, args = get_origin(annotation), get_args(annotation)
    if not isinstance(origin, type):
        return None
    if issubclass(origin, Mapping) and len(args) == 2:
        return Shape.of(args[1])
    if not isinstance(part, int) or not issubclass(origin, Sequence):
        return None
    if issubclass(origin, tuple) and args[-1:] != (Ellipsis,):
        return Shape.of(args[part]) if 0 <= part < len(args) else None
    return Shape.of(args[0]) if args else None
