from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field
from sample_task import SampleRecipe

from toolkit import Recipe, Section
from toolkit.recipe.schema.defaults import bad_defaults


class Inner(Section):
    rate: Annotated[float, Field(gt=0)] = -1.0


class One(Section):
    name: Literal["one"] = "one"
    count: int = "3"  # type: ignore[assignment]


class Two(Section):
    name: Literal["two"] = "two"
    place: Path = Path("here")


class Listed(Section):
    items: list[Annotated[One | Two, Field(discriminator="name")]] = Field(default_factory=list)


class Nested(Section):
    inner: Inner | None = None


class Raw(Section):
    inner: Two = Field({"name": "two"})  # type: ignore[assignment]


class Needs(Section):
    path: Path
    limit: int = 0


@pytest.mark.parametrize("schema", [Recipe, SampleRecipe, Two, Needs])
def test_good_schemas(schema: type[BaseModel]) -> None:
    assert list(bad_defaults(schema)) == []


@pytest.mark.parametrize(
    ("schema", "place"),
    [(Inner, "Inner.rate"), (Nested, "Inner.rate"), (One, "One.count"), (Listed, "One.count"), (Raw, "Raw.inner")],
)
def test_a_bad_default_is_named_wherever_it_hides(schema: type[Any], place: str) -> None:
    (fault,) = bad_defaults(schema)
    assert fault.startswith(f"{place}: ")
