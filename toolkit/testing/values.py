"""Walks a typed recipe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

Key = tuple[str | int, ...]


def sections_in(value: Any, key: Key = ()) -> Iterator[Key]:
    """Where the recipe has sections, itself included."""
    if _is_section(value):
        yield key
    for part, inner in _items(value):
        yield from sections_in(inner, (*key, part))


def existing_paths(value: Any, key: Key = ()) -> Iterator[tuple[Key, Path]]:
    """The values that are files or folders which exist."""
    if isinstance(value, Path) and value.exists():
        yield key, value
    for part, inner in _items(value):
        yield from existing_paths(inner, (*key, part))


def setting(key: Key, value: Path) -> str:
    """``key=value`` as for ``--set``."""
    from toolkit.recipe.resolved import dump_yaml

    return f"{'.'.join(map(str, key))}={dump_yaml(str(value), flow=True)}"


def _is_section(value: Any) -> bool:
    from pydantic import BaseModel

    return isinstance(value, BaseModel)


def _items(value: Any) -> Iterator[tuple[str | int, Any]]:
    if _is_section(value):
        for name in type(value).model_fields:
            yield name, getattr(value, name)
    elif isinstance(value, list | tuple):
        yield from enumerate(value)
