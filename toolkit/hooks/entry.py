"""One plugin as its distribution's metadata describes it. Nothing here imports a plugin."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["task", "extension"]
Status = Literal["ok", "unchecked", "duplicate", "disabled", "incompatible", "broken"]

GROUPS: dict[str, Kind] = {"vtk.tasks": "task", "vtk.extensions": "extension"}
RECIPES = "vtk.recipes"
CORE = "vision-toolkit"
DISABLE = "VTK_DISABLE_PLUGINS"

STATUSES: dict[Status, str] = {
    "ok": "comes with vision-toolkit, or has passed --check",
    "unchecked": "from another package; its metadata are in order, and it has not been imported",
    "duplicate": "another package has this name too; the full name, package:name, chooses it",
    "disabled": f"switched off by {DISABLE} or --no-plugins",
    "incompatible": "its package asks for another version of vision-toolkit",
    "broken": "its metadata cannot be read, or it has failed --check",
}


@dataclass(frozen=True)
class Plugin:
    """One entry point: a task or an extension, not imported.

    Args:
        name: the public name, unique within its kind unless another distribution claims it too.
        kind: task or extension.
        value: the entry point's object, ``package.module:attribute``.
        status: one of ``STATUSES``, from metadata alone. ``broken`` metadata names no plugin that could be read, and
            stands here under the distribution's name.
        builtin: whether it comes with vision-toolkit itself.
        needs: the versions of vision-toolkit that the distribution asks for, e.g. ``>=0.1,<0.2``.
        reason: why the status is what it is.
        given: the plugin's object itself, where tests give one that is not installed; ``value`` describes it.
    """

    name: str
    kind: Kind
    value: str
    distribution: str
    version: str
    summary: str
    status: Status = "unchecked"
    builtin: bool = False
    needs: str = ""
    homepage: str = ""
    reason: str = ""
    given: Any = field(default=None, hash=False)

    @property
    def full_name(self) -> str:
        """``distribution:name``, which chooses between two plugins of one name."""
        return f"{self.distribution}:{self.name}"

    @property
    def owner(self) -> str:
        """The distribution with its version."""
        return f"{self.distribution} {self.version}"

    @property
    def usable(self) -> bool:
        """Whether a recipe may name it, as far as metadata tell."""
        return self.status in ("ok", "unchecked", "duplicate")

    def goes_by(self, name: str) -> bool:
        """Whether ``name`` is its name or its full name."""
        return is_named(name, self.name, self.distribution)


@dataclass(frozen=True)
class LoadedPlugin:
    """An imported plugin: its entry in the catalogue, its object, and the schema that its ``vtk_config`` returned."""

    entry: Plugin
    plugin: Any
    schema: type[Any]


@dataclass(frozen=True)
class RecipeFolder:
    """An entry point in the group ``vtk.recipes``: a folder of recipes inside a package, ``package.folder``."""

    name: str
    value: str
    distribution: str
    version: str


def is_named(asked: str, name: str, distribution: str) -> bool:
    """Whether ``asked`` is ``name`` or ``distribution:name``; a distribution's spelling counts as little as for pip."""
    owner, colon, rest = asked.partition(":")
    return asked == name or (bool(colon) and rest == name and normalized(owner) == normalized(distribution))


def normalized(distribution: str) -> str:
    """A distribution's name as package indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution).lower()
