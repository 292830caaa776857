"""The base of every recipe section."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A mapping in a recipe: strict types, unknown keys refused, immutable once read.

    Give each field a description: ``vtk schema`` and the recipe documentation print it.
    """

    decides: ClassVar[Mapping[str, Sequence[str]]] = {}
    """Keys that leave others without effect where they are given, with those others. A recipe that gives both in one
    file, or one of the others on the command line, is refused."""

    shapes_result: ClassVar[bool] = True
    """Of an extension's options: whether they can change what a run comes to. A run may be gone on with under other
    options only where they cannot, or where the user accepts it."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False)
