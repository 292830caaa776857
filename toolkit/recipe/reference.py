"""Every key of a recipe as Markdown tables: the reference in ``recipes/README.md``."""

from __future__ import annotations

import enum
import inspect
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_jsonable_python

from toolkit.hooks.catalogue import Catalogue
from toolkit.hooks.entry import Kind, Loaded
from toolkit.recipe.nodes import Mark
from toolkit.recipe.plugins import load_plugin
from toolkit.recipe.resolved import dump_yaml
from toolkit.recipe.sections import Recipe, StageSection
from toolkit.recipe.shape import Shape, field_default
from toolkit.recipe.wording import number_text

_TYPES: dict[Any, str] = {str: "text", int: "whole number", float: "number", bool: "true or false", type(None): "null"}
_BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
_HEAD = "| key | type | default | meaning |\n|---|---|---|---|"


def reference_markdown(catalogue: Catalogue | None = None) -> str:
    """Tables of the core's keys, then of each built-in task's own, then of the built-in extensions' options."""
    catalogue = catalogue or Catalogue()
    tables = _Tables()
    parts = ["### Every task", *tables.of(Recipe)]
    for task in _builtin(catalogue, "task"):
        own = _own_fields(task.schema)
        parts += [f"### Task `{task.entry.name}`", *_about(task.schema), *tables.of(task.schema, only=own)]
    parts.append("### Extensions")
    for extension in _builtin(catalogue, "extension"):
        parts += [f"**`extensions.{extension.entry.name}`**", *_about(extension.schema)]
        parts += tables.of(extension.schema, prefix=f"extensions.{extension.entry.name}.")
    return "\n\n".join(parts) + "\n"


def own_keys(schema: type[BaseModel]) -> Iterator[dict[str, str]]:
    """The keys that a plugin's schema adds to the core's, each with type, default and meaning, as plain text.

    Those of a list's sections follow it as ``stages.N.size``; the keys that every stage has are left out.
    A choice among sections is one row: what each of them takes is told by the tables and by the JSON schema.
    """
    names = _own_fields(schema) if issubclass(schema, Recipe) else list(schema.model_fields)
    for name in names:
        yield from _key_rows(name, schema.model_fields[name])


def _key_rows(key: str, info: FieldInfo) -> Iterator[dict[str, str]]:
    inner = Shape.of_field(info).model
    if inner is not None:
        for name, field_info in inner.model_fields.items():
            yield from _key_rows(f"{key}.{name}", field_info)
        return
    names = [name for several in _sections(info).values() for name in several]
    kind = f"one of {', '.join(names)}" if names else _type(info.annotation, info.metadata)
    default = _default(info)
    if names:
        default = getattr(field_default(info), Shape.of_field(info).chooser or "", default)
    row = {"key": key, "type": kind, "default": default, "meaning": _cell(info.description or "")}
    yield {column: text.replace("`", "") for column, text in row.items()}
    item = Shape.of_field(info).item(0, None)
    if item is not None and item.model is not None:
        known = StageSection.model_fields if issubclass(item.model, StageSection) else {}
        for name, field_info in item.model.model_fields.items():
            if name not in known:
                yield from _key_rows(f"{key}.N.{name}", field_info)


def _builtin(catalogue: Catalogue, kind: Kind) -> Iterator[Loaded]:
    for plugin in catalogue.plugins:
        if plugin.builtin and plugin.kind == kind and plugin.status != "disabled":
            yield load_plugin(plugin.full_name, kind, kind, Mark(plugin.full_name), catalogue)


def _own_fields(schema: type[BaseModel]) -> list[str]:
    """The keys that a task adds or declares anew."""
    return [name for name, info in schema.model_fields.items() if not _same(info, Recipe.model_fields.get(name))]


def _same(info: FieldInfo, core: FieldInfo | None) -> bool:
    return core is not None and (info.annotation, info.default, info.default_factory) == (
        core.annotation,
        core.default,
        core.default_factory,
    )


def _about(schema: type[BaseModel]) -> list[str]:
    """The first paragraph of a section's own docstring."""
    text = inspect.cleandoc(vars(schema).get("__doc__") or "")
    return [_cell(text.partition("\n\n")[0])] if text else []


@dataclass
class _Tables:
    """Writes each section's table once; where it stands under another key too, that place refers to the first."""

    written: dict[type[BaseModel], str] = field(default_factory=dict)

    def of(
        self, schema: type[BaseModel], *, prefix: str = "", only: Sequence[str] | None = None, leave_out: str = ""
    ) -> Iterator[str]:
        """One table for the values of a section, then those of the sections inside it."""
        fields = {
            name: info
            for name, info in schema.model_fields.items()
            if name != leave_out and (only is None or name in only)
        }
        rows = [_row(f"{prefix}{name}", info) for name, info in fields.items() if not _sections(info)]
        if rows:
            yield "\n".join([_HEAD, *rows])
        for name, info in fields.items():
            yield from self._inside(f"{prefix}{name}", info)

    def _inside(self, key: str, info: FieldInfo) -> Iterator[str]:
        shape, sections = Shape.of_field(info), _sections(info)
        about = f"**`{key}`**{f': {_cell(info.description)}' if info.description else ''}"
        if not sections:
            return
        if all(section in self.written for section in sections):
            yield f"{about} It takes what `{self.written[next(iter(sections))]}` takes."
            return
        if info.description:
            yield about
        default = getattr(field_default(info), shape.chooser, None) if shape.chooser else None
        prefix = f"{key}.N." if _in_list(shape) else f"{key}."
        for section, names in sections.items():
            if names:
                yield self._title(key, section, names, default)
            elif not info.description:
                yield ": ".join([about, *_about(section)])
            if section not in self.written:
                self.written[section] = key
                yield from self.of(section, prefix=prefix, leave_out="name" if names else "")

    def _title(self, key: str, section: type[BaseModel], names: Sequence[str], default: str | None) -> str:
        others = "".join(f", `{name}`" for name in names[1:])
        title = f"**`{key}`** with `name: {names[0]}`{others}{' (default)' if default in names else ''}"
        if section in self.written:
            return f"{title}: takes what `{self.written[section]}` takes."
        return ": ".join([title, *_about(section)])


def _in_list(shape: Shape) -> bool:
    """Whether the sections under a key are items of a list there, not what the key itself may hold."""
    return not shape.variants and all(part.model is None for part in shape.alternatives)


def _sections(info: FieldInfo) -> Mapping[type[BaseModel], Sequence[str]]:
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


def _row(key: str, info: FieldInfo) -> str:
    kind = _type(info.annotation, info.metadata)
    return f"| `{key}` | {kind} | {_default(info)} | {_cell(info.description or '')} |"


def _default(info: FieldInfo) -> str:
    value = field_default(info)
    if value is PydanticUndefined:
        return "required" if info.is_required() else ""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    return "" if value is None else f"`{_cell(dump_yaml(to_jsonable_python(value), flow=True))}`"


def _type(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    """A type in a recipe writer's words, with its bounds."""
    if get_origin(annotation) is Annotated:
        inner, *extra = get_args(annotation)
        return _type(inner, [*extra, *metadata])
    if get_origin(annotation) in (Union, types.UnionType):
        members = [m for m in get_args(annotation) if m is not type(None)]
        return " or ".join(dict.fromkeys(_type(m, metadata if len(members) == 1 else ()) for m in members))
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(annotation))
    return f"{_plain_type(annotation)}{_bounds(metadata)}"


def _plain_type(annotation: Any) -> str:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin in (list, set, frozenset, Sequence) or (origin is tuple and args[-1:] == (Ellipsis,)):
        return f"list of {_type(args[0])}"
    if origin is tuple:
        return f"list of {len(args)}: {', '.join(_type(arg) for arg in args)}"
    if origin in (dict, Mapping):
        return "mapping" if args[1] is Any else f"mapping of {_type(args[1])}"
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


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("``", "`").replace("|", "\\|")
