"""The recipes that come with an installed package, by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import toolkit
from toolkit.errors import ExitCode, VtkError
from toolkit.recipe.problems import nearest

CORE = "vision-toolkit"


@dataclass(frozen=True)
class ShippedRecipe:
    """A recipe file, the distribution that ships it, and the first line of its opening comment."""

    name: str
    path: Path
    distribution: str

    @property
    def title(self) -> str:
        for line in self.path.read_text(encoding="utf-8").splitlines():
            text = line.lstrip("#").strip()
            if line.startswith("#") and text and not text.startswith("yaml-language-server"):
                return text
            if line and not line.startswith("#"):
                break
        return ""


@dataclass(frozen=True)
class Source:
    """A folder of recipes and the distribution that it belongs to."""

    distribution: str
    folder: Path


def sources() -> Iterator[Source]:
    """Where shipped recipes lie: the folder inside the wheel, or the repository's in an editable install."""
    package = Path(toolkit.__file__).parent
    for folder in (package / "shipped_recipes", package.parent / "recipes"):
        if folder.is_dir():
            yield Source(CORE, folder)
            return


def shipped_recipes() -> list[ShippedRecipe]:
    """Every shipped recipe, sorted by name."""
    found = [
        ShippedRecipe(path.stem, path, source.distribution)
        for source in sources()
        for path in source.folder.glob("*.yaml")
    ]
    return sorted(found, key=lambda recipe: (recipe.name, recipe.distribution))


def find_shipped(name: str) -> ShippedRecipe:
    """The shipped recipe called ``name`` or ``distribution:name``.

    Raises:
        VtkError: none, or more than one.
    """
    everything = shipped_recipes()
    found = [r for r in everything if name in (r.name, f"{r.distribution}:{r.name}")]
    if len(found) == 1:
        return found[0]
    if found:
        choices = ", ".join(f"{recipe.distribution}:{recipe.name}" for recipe in found)
        raise VtkError(f"several recipes are called {name!r}", hint=f"choose one of {choices}", code=ExitCode.NO_INPUT)
    names = [recipe.name for recipe in everything]
    close = nearest(name, names)
    hint = f"did you mean {' or '.join(close)}?" if close else f"shipped recipes: {', '.join(names) or 'none'}"
    raise VtkError(f"no recipe file and no shipped recipe is called {name!r}", hint=hint, code=ExitCode.NO_INPUT)
