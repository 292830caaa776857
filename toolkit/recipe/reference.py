"""Every key of a recipe as Markdown tables: the reference in ``recipes/README.md``."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from toolkit.hooks.catalogue import Catalogue
from toolkit.hooks.entry import Kind, LoadedPlugin
from toolkit.recipe.mark import Mark
from toolkit.recipe.plugins import load_plugin
from toolkit.recipe.schema.key_rows import cell, default_text, own_fields, sections_of, type_text
from toolkit.recipe.schema.shape import Shape, field_default
from toolkit.recipe.sections import Recipe

_HEAD = "| key | type | default | meaning |\n|---|---|---|---|"


def reference_markdown(catalogue: Catalogue | None = None) -> str:
    """Tables of the core's keys, then of each built-in task's own, then of the built-in extensions' options."""
    catalogue = catalogue or Catalogue()
    tables = _Tables()
    parts = ["### Every task", *tables.of(Recipe)]
    for task in _builtin(catalogue, "task"):
        own = own_fields(task.schema)
        parts += [f"### Task `{task.entry.name}`", *_about(task.schema), *tables.of(task.schema, only=own)]
    parts.append("### Extensions")
    for extension in _builtin(catalogue, "extension"):
        parts += [f"**`extensions.{extension.entry.name}`**", *_about(extension.schema)]
        parts += tables.of(extension.schema, prefix=f"extensions.{extension.entry.name}.")
    return "\n\n".join(parts) + "\n"


def _builtin(catalogue: Catalogue, kind: Kind) -> Iterator[LoadedPlugin]:
    for plugin in catalogue.plugins:
        if plugin.builtin and plugin.kind == kind and plugin.status != "disabled":
            yield load_plugin(plugin.full_name, kind, kind, Mark(plugin.full_name), catalogue)


def _about(schema: type[BaseModel]) -> list[str]:
    """The first paragraph of a section's own docstring."""
    text = inspect.cleandoc(vars(schema).get("__doc__") or "")
    return [cell(text.partition("\n\n")[0])] if text else []


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
        rows = [_row(f"{prefix}{name}", info) for name, info in fields.items() if not sections_of(info)]
        if rows:
            yield "\n".join([_HEAD, *rows])
        for name, info in fields.items():
            yield from self._inside(f"{prefix}{name}", info)

    def _inside(self, key: str, info: FieldInfo) -> Iterator[str]:
        shape, sections = Shape.of_field(info), sections_of(info)
        about = f"**`{key}`**{f': {cell(info.description)}' if info.description else ''}"
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


def _row(key: str, info: FieldInfo) -> str:
    kind = type_text(info.annotation, info.metadata)
    return f"| `{key}` | {kind} | {default_text(info)} | {cell(info.description or '')} |"
