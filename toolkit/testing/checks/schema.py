"""The recipe's schema helps whoever writes a recipe."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, Literal, get_origin

from toolkit.errors import VtkError
from toolkit.section import Section
from toolkit.testing.findings import ConformanceError, finding
from toolkit.testing.subject import Subject


@finding
def check_schema(subject: Subject) -> None:
    """It is valid JSON Schema, every key has a description, and a recipe that a run wrote down reads the same."""
    schema = subject.loaded.schema
    for section in _sections(schema):
        _check_section(section)
    _check_json_schema(subject)
    _check_written_recipe(subject)


def _sections(schema: type[Any]) -> Iterator[type[Any]]:
    """The plugin's own sections: those that it defines, and not those of the toolkit."""
    from toolkit.recipe.schema.shape import Shape

    waiting, seen = [Shape(schema)], set[type[Any]]()
    while waiting:
        for part in waiting.pop().parts:
            model = part.model
            if model is None or model in seen:
                continue
            seen.add(model)
            waiting += [Shape.of_field(field) for field in model.model_fields.values()]
            if not model.__module__.startswith("toolkit."):
                yield model


def _check_section(section: type[Any]) -> None:
    if not issubclass(section, Section) or section.model_config.get("extra") != "forbid":
        raise ConformanceError(
            "schema",
            f"{section.__qualname__} takes keys that it does not know, so a misspelt key is ignored in silence",
            "derive it from toolkit.Section and leave model_config alone",
        )
    for name, field in section.model_fields.items():
        if not (field.description or _speaks_for_itself(field) or _inherited(section, name)):
            raise ConformanceError(
                "schema",
                f"{section.__qualname__}.{name} has no description",
                'write Field(..., description="..."); `vtk schema` and editors show it',
            )


def _speaks_for_itself(field: Any) -> bool:
    """The constant that names a section, and a place for sections, which have descriptions of their own."""
    from toolkit.recipe.schema.shape import Shape

    shape = Shape.of_field(field)
    return get_origin(shape.annotation) is Literal or any(part.model is not None for part in shape.parts)


def _inherited(section: type[Any], name: str) -> bool:
    """Whether a field is one of the toolkit's own sections', if with another default."""
    owners = [base for base in section.__mro__ if name in inspect.get_annotations(base)]
    return any(owner.__module__.startswith("toolkit.") for owner in owners)


def _check_json_schema(subject: Subject) -> None:
    from toolkit.recipe.json_schema import json_schema

    resolved = subject.resolve()
    extensions = [subject.entry.full_name] if subject.kind == "extension" else []
    with subject.alone() as catalogue:
        document = json_schema(resolved.task.entry.full_name, catalogue=catalogue, described=extensions)
    validator = _validator(document)
    problem = next(iter(validator.iter_errors(resolved.to_dict())), None)
    if problem is not None:
        raise ConformanceError(
            "schema",
            f"the JSON Schema refuses the recipe at {'.'.join(map(str, problem.path)) or 'the top'}: {problem.message}",
            "say in the field's type what it takes; a validator that takes more is not seen by editors",
        )


def _validator(document: dict[str, Any]) -> Any:
    try:
        from jsonschema import Draft202012Validator, SchemaError
    except ImportError as error:
        raise ConformanceError(
            "schema", "the package jsonschema is not installed", "pip install 'vision-toolkit[testing]'"
        ) from error
    try:
        Draft202012Validator.check_schema(document)
    except SchemaError as error:
        raise ConformanceError(
            "schema",
            f"vtk_config gives no valid JSON Schema: {error.message}",
            "take types that pydantic can describe, and check json_schema_extra",
        ) from error
    return Draft202012Validator(document)


def _check_written_recipe(subject: Subject) -> None:
    """A run writes its recipe down and reads it again to resume, to evaluate and to predict."""
    from toolkit.recipe.load import load_text

    resolved = subject.resolve()
    try:
        with subject.alone() as catalogue:
            again = load_text(resolved.to_yaml(), catalogue=catalogue).recipe
    except VtkError as error:
        raise ConformanceError(
            "schema",
            f"the recipe as a run writes it down cannot be read again: {error}",
            "let each field take what it writes: a validator must accept its own result",
        ) from error
    if again != resolved.recipe:
        raise ConformanceError(
            "schema",
            "the recipe as a run writes it down reads as another recipe",
            "keep every value in a field: private attributes and values that a validator changes twice are lost",
        )
