"""The JSON Schema of recipe files, by task: for editors, for ``vtk schema``, and for ``recipes/schemas``."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from toolkit.hooks.catalogue import Catalogue
from toolkit.hooks.entry import CORE, LoadedPlugin, Plugin
from toolkit.recipe.mark import Mark
from toolkit.recipe.plugins import load_plugin
from toolkit.recipe.schema.shape import Shape, field_default

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_DEFAULT_NAME = "x-default-name"
_PARTIAL = ".partial"
_RECIPE = "Recipe"
_ON_COMMAND_LINE = Mark("the command line")

Schema = dict[str, Any]


def json_schema(
    task: str, *, catalogue: Catalogue | None = None, described: Sequence[str] = (), builtin_only: bool = False
) -> Schema:
    """The schema of a whole recipe file of one task.

    A file that extends another may leave out what the other gives, and so may the demo overlay; everything else that
    the loader refuses by shape, the schema refuses too. Extensions of other packages than the task's are known by name
    alone, for a slow or broken one must not be in the way of a task that has nothing to do with it.

    Args:
        task: the task's name.
        catalogue: the plugins to choose from; by default those that are installed.
        described: extensions of other packages whose options are to be described too.
        builtin_only: know the built-in extensions only, so that the result does not depend on what else is installed.

    Raises:
        VtkError: the task, or an extension whose options are to be described, cannot be had.
    """
    catalogue = catalogue or Catalogue()
    loaded = load_plugin(task, "task", "task", _ON_COMMAND_LINE, catalogue)
    recipe, defs = _model_schema(loaded.schema)
    recipe["properties"]["task"] = {
        "description": recipe["properties"]["task"].get("description", ""),
        "enum": [loaded.entry.name, loaded.entry.full_name],
    }
    packages = {CORE} if builtin_only else {CORE, loaded.entry.distribution}
    recipe["properties"]["extensions"] = _extensions_schema(
        _extensions(catalogue, packages, described), [] if builtin_only else catalogue.plugins, defs
    )
    defs |= {f"{name}{_PARTIAL}": _partial(schema) for name, schema in defs.items()}
    changes = _partial(recipe)
    defs["Demo"] = {**changes, "description": "What `--demo` changes."}
    defs[_RECIPE] = _with_file_keys(recipe)
    defs[_RECIPE + _PARTIAL] = _with_file_keys(changes)
    return {
        "$schema": DIALECT,
        "title": f"vision-toolkit recipe, task {loaded.entry.name}",
        "type": "object",
        "if": {"required": ["extends"]},
        "then": {"$ref": f"#/$defs/{_RECIPE}{_PARTIAL}"},
        "else": {"$ref": f"#/$defs/{_RECIPE}"},
        "$defs": dict(sorted(defs.items())),
    }


def _extensions(catalogue: Catalogue, packages: set[str], named: Sequence[str]) -> list[LoadedPlugin]:
    """The extensions to describe in full, imported: those of some packages, and those that are named."""
    own = [p.full_name for p in catalogue.plugins if p.kind == "extension" and p.usable and p.distribution in packages]
    names = dict.fromkeys([*own, *named])
    return [load_plugin(name, "extension", f"extensions.{name}", _ON_COMMAND_LINE, catalogue) for name in names]


class _Generator(GenerateJsonSchema):
    """Notes at each choice of sections which one is taken where no name is given."""

    def model_schema(self, schema: Any) -> JsonSchemaValue:
        result = super().model_schema(schema)
        model: type[BaseModel] = schema["cls"]
        for name, field in model.model_fields.items():
            chooser = Shape.of_field(field).chooser
            default = getattr(field_default(field), chooser, None) if chooser else None
            if default is not None and name in result.get("properties", {}):
                result["properties"][name][_DEFAULT_NAME] = str(default)
        return result


def _model_schema(model: type[BaseModel], prefix: str = "") -> tuple[Schema, dict[str, Schema]]:
    """The model's own schema, and those that it refers to by name; all names begin with ``prefix``."""
    template = f"#/$defs/{prefix}{{model}}"
    schema = model.model_json_schema(schema_generator=_Generator, ref_template=template)
    schema = _walk(schema, _settle_choice)
    defs = {f"{prefix}{name}": inner for name, inner in schema.pop("$defs", {}).items()}
    return schema, defs


def _extensions_schema(
    described: Iterable[LoadedPlugin], installed: Iterable[Plugin], defs: dict[str, Schema]
) -> Schema:
    anything = {"type": ["object", "boolean", "null"]}
    properties: Schema = {
        plugin.name: {**anything, "description": f"An extension of {plugin.distribution}."}
        for plugin in installed
        if plugin.kind == "extension" and plugin.usable
    }
    for loaded in described:
        name = f"extensions.{loaded.entry.name}"
        if name in defs:
            continue  # a plain name means the built-in, which comes first
        defs[name], inner = _model_schema(loaded.schema, prefix=f"{name}.")
        defs |= inner
        about = {"description": loaded.schema.__doc__} if loaded.schema.__doc__ else {}
        properties[loaded.entry.name] = {"anyOf": [{"$ref": f"#/$defs/{name}"}, {"type": ["boolean", "null"]}], **about}
    return {
        "description": "Extensions by name with their options; `false` leaves a default one out.",
        "type": "object",
        "properties": dict(sorted(properties.items())),
        "patternProperties": {"^[^:]+:[^:]+$": {**anything, "description": "An extension by its full name."}},
        # `false` takes out what is not there either, as another machine's plugins may be.
        "additionalProperties": {"const": False},
    }


def _settle_choice(schema: Schema) -> Schema:
    """Drops titles, and makes plain JSON Schema of a choice by name: every variant but the default must be named."""
    schema.pop("title", None)
    default = schema.pop(_DEFAULT_NAME, None)
    chooser = schema.pop("discriminator", None)
    if chooser is None or "oneOf" not in schema:
        return schema
    mapping, key = chooser["mapping"], chooser["propertyName"]
    schema["oneOf"] = [
        {"$ref": ref} if ref == mapping.get(default) else {"$ref": ref, "required": [key]}
        for ref in dict.fromkeys(mapping.values())
    ]
    return schema


def _partial(schema: Schema) -> Schema:
    """The same section, of which any key may be left out."""

    def loosen(part: Schema) -> Schema:
        part.pop("required", None)
        if "$ref" in part:
            part["$ref"] += _PARTIAL
        if "oneOf" in part:
            part["anyOf"] = part.pop("oneOf")
        return part

    partial: Schema = _walk(copy.deepcopy(schema), loosen)
    return partial


def _with_file_keys(recipe: Schema) -> Schema:
    keys: Schema = {
        "extends": {"type": "string", "description": "Another recipe to start from: its path or its shipped name."},
        "demo": {"anyOf": [{"$ref": "#/$defs/Demo"}, {"type": ["boolean", "null"]}]},
    }
    return {**recipe, "properties": {**keys, **recipe["properties"]}}


def _walk(schema: Any, change: Callable[[Schema], Schema]) -> Any:
    """Applies ``change`` to a schema and every schema inside it, and to nothing else, such as keys called ``title``."""
    if isinstance(schema, list):
        return [_walk(item, change) for item in schema]
    if not isinstance(schema, dict):
        return schema
    for keyword in ("properties", "$defs", "patternProperties"):
        if keyword in schema:
            schema[keyword] = {name: _walk(inner, change) for name, inner in schema[keyword].items()}
    for keyword in ("items", "prefixItems", "additionalProperties", "anyOf", "oneOf", "allOf", "not"):
        if keyword in schema:
            schema[keyword] = _walk(schema[keyword], change)
    return change(schema)
