"""Every key of a recipe schema, one line for each variant of a section that is chosen by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """``train.epochs``, ``optimizer[adam].beta1`` and so on; a choice of values is one key."""
    for name, field in model.model_fields.items():
        inner = list(_sections(field.annotation))
        for section in inner:
            yield from keys(section, f"{prefix}{name}{_variant(section)}.")
        if not inner or _is_value(field.annotation):
            yield prefix + name


def _sections(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        return
    for part in get_args(annotation):
        if not isinstance(part, str | int):
            yield from _sections(part)


def _variant(section: type[BaseModel]) -> str:
    field = section.model_fields.get("name")
    if field is None or get_origin(field.annotation) is not Literal:
        return ""
    return f"[{get_args(field.annotation)[0]}]"


def _is_value(annotation: Any) -> bool:
    """Whether words can be given instead of a section, as in ``normalize: half``."""
    return get_origin(annotation) is Literal or any(
        get_origin(part) is Literal for part in get_args(annotation) if not isinstance(part, str)
    )
