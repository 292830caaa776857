"""The base of every recipe section."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A mapping in a recipe: strict types, unknown keys refused, immutable once read.

    Give each field a description: ``vtk schema`` and the recipe documentation print it.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False)
