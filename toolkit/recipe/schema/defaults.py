"""Checks that the defaults a schema declares are values it would accept.

pydantic's ``validate_default`` cannot: recipes are validated as JSON, and in strict JSON a ``Path`` is no path.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticUndefined

from toolkit.recipe.schema.shape import Shape, field_default


def bad_defaults(schema: type[BaseModel]) -> Iterator[str]:
    """``Section.key: what is wrong`` for each bad default in the schema and in every section it can hold."""
    for section in dict.fromkeys(_sections(Shape(schema), set())):
        yield from _bad_defaults_of(section)


def _sections(shape: Shape, seen: set[type[BaseModel]]) -> Iterator[type[BaseModel]]:
    for part in shape.parts:
        section = part.model
        if section is None or section in seen:
            continue
        seen.add(section)
        yield section
        for field in section.model_fields.values():
            yield from _sections(Shape.of_field(field), seen)


def _bad_defaults_of(section: type[BaseModel]) -> Iterator[str]:
    defaults = {name: field_default(field) for name, field in section.model_fields.items()}
    defaults = {name: value for name, value in defaults.items() if value is not PydanticUndefined}
    for name, value in defaults.items():
        if isinstance(value, dict) and any(
            part.model for part in Shape.of_field(section.model_fields[name]).alternatives
        ):
            yield f"{section.__name__}.{name}: the default must be a section, not a dict"
    for error in _errors(section, defaults):
        where = error["loc"]
        # An error without a place, or of a missing key, is about a recipe that says nothing, not about a default.
        if where and where[0] in defaults and error["type"] != "missing":
            yield f"{section.__name__}.{'.'.join(map(str, where))}: bad default: {error['msg']}"


def _errors(section: type[BaseModel], defaults: dict[str, Any]) -> list[Any]:
    try:
        section.model_validate(defaults, strict=True)
    except ValidationError as error:
        return list(error.errors(include_url=False))
    return []
