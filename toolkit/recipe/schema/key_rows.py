"""A schema's keys in words: each with its type, bounds, default and meaning."""

from __future__ import annotations

import enum
import types
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_jsonable_python

from toolkit.recipe.resolved import dump_yaml
from toolkit.recipe.schema.messages import number_text
from toolkit.recipe.schema.shape import Shape, field_default
from toolkit.recipe.sections import Recipe, StageSection

__all__ = ["cell", "default_text", "own_fields", "own_keys", "sections_of", "type_text"]

_TYPES: dict[Any, str] = {str: "text", int: "whole number", float: "number", bool: "true or false", type(None): "null"}
_BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def own_keys(schema: type[BaseModel]) -> Iterator[dict[str, str]]:
    """The keys that a plugin's schema adds to the core's, each with type, default and meaning, as plain text.

    Those of a list's sections follow it as ``stages.N.size``; the keys that every stage has are left out.
    A choice among sections is one row: what each of them takes is told by the tables and by the JSON schema.
    """
    names = own_fields(schema) if issubclass(schema, Recipe) else list(schema.model_fields)
    for name in names:
        yield from _key_rows(name, schema.model_fields[name])


def _key_rows(key: str, info: FieldInfo) -> Iterator[dict[str, str]]:
    inner = Shape.of_field(info).model
    if inner is not None:
        for name, field_info in inner.model_fields.items():
            yield from _key_rows(f"{key}.{name}", field_info)
        return
    names = [name for several in sections_of(info).values() for name in several]
    kind = f"one of {', '.join(names)}" if names else type_text(info.annotation, info.metadata)
    default = default_text(info)
    if names:
        default = getattr(field_default(info), Shape.of_field(info).chooser or "", default)
    row = {"key": key, "type": kind, "default": default, "meaning": cell(info.description or "")}
    yield {column: text.replace("`", "") for column, text in row.items()}
    item = Shape.of_field(info).item(0, None)
    if item is not None and item.model is not None:
        known = StageSection.model_fields if issubclass(item.model, StageSection) else {}
        for name, field_info in item.model.model_fields.items():
            if name not in known:
                yield from _key_rows(f"{key}.N.{name}", field_info)


def own_fields(schema: type[BaseModel]) -> list[str]:
    """The keys that a task adds or declares anew."""
    return [name for name, info in schema.model_fields.items() if not _same(info, Recipe.model_fields.get(name))]


def _same(info: FieldInfo, core: FieldInfo | None) -> bool:
    return core is not None and (info.annotation, info.default, info.default_factory) == (
        core.annotation,
        core.default,
        core.default_factory,
    )


def sections_of(info: FieldInfo) -> Mapping[type[BaseModel], Sequence[str]]:
    """The sections that may stand under a key, each with the names that choose it; none where there is no choice."""
    shape = Shape.of_field(info)
    found: dict[type[BaseModel], list[str]] = {}
    for candidate in filter(None, (shape, shape.item(0, None))):
        for name, section in candidate.variants.items():
            found.setdefault(section, []).append(name)
        for part in candidate.alternatives:
            if not found and part.model is not None:
                found[part.model] = []
        if found:
            break
    return found


def default_text(info: FieldInfo) -> str:
    """A key's default as a recipe would say it; ``required`` where it has none."""
    value = field_default(info)
    if value is PydanticUndefined:
        return "required" if info.is_required() else ""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    return "" if value is None else f"`{cell(dump_yaml(to_jsonable_python(value), flow=True))}`"


def type_text(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    """A type in a recipe writer's words, with its bounds."""
    if get_origin(annotation) is Annotated:
        inner, *extra = get_args(annotation)
        return type_text(inner, [*extra, *metadata])
    if get_origin(annotation) in (Union, types.UnionType):
        members = [m for m in get_args(annotation) if m is not type(None)]
        return " or ".join(dict.fromkeys(type_text(m, metadata if len(members) == 1 else ()) for m in members))
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(annotation))
    return f"{_plain_type(annotation)}{_bounds(metadata)}"


def _plain_type(annotation: Any) -> str:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin in (list, set, frozenset, Sequence) or (origin is tuple and args[-1:] == (Ellipsis,)):
        return f"list of {type_text(args[0])}"
    if origin is tuple:
        return f"list of {len(args)}: {', '.join(type_text(arg) for arg in args)}"
    if origin in (dict, Mapping):
        return "mapping" if args[1] is Any else f"mapping of {type_text(args[1])}"
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return ", ".join(f"`{member.value}`" for member in annotation)
    if isinstance(annotation, type) and issubclass(annotation, PurePath):
        return "path"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "section"
    return _TYPES.get(annotation, "any")


def _bounds(metadata: Sequence[Any]) -> str:
    found = []
    for item in metadata:
        nested = item.metadata if isinstance(item, FieldInfo) else [item]
        found += [
            f"{sign} {number_text(getattr(n, name))}"
            for n in nested
            for name, sign in _BOUNDS.items()
            if hasattr(n, name)
        ]
    return f" {', '.join(found)}" if found else ""


def cell(text: str) -> str:
    """A description as one cell of a Markdown table."""
    return " ".join(text.split()).replace("``", "`").replace("|", "\\|")
