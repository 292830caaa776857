"""The recipes that come with installed packages, by name.

The toolkit's own lie in its package. Another package declares a folder of its own by an entry point in the group
``vtk.recipes``; finding it imports nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from toolkit.errors import ExitCode, VtkError, suggest
from toolkit.hooks.entry import CORE, RecipeFolder, is_named


@dataclass(frozen=True)
class ShippedRecipe:
    """A recipe file and the distribution that ships it.

    Args:
        chosen_as: what chooses it: its name, or ``distribution:name`` where the name alone does not.
    """

    name: str
    path: Path
    distribution: str
    chosen_as: str

    @property
    def full_name(self) -> str:
        """``distribution:name``."""
        return f"{self.distribution}:{self.name}"

    @property
    def title(self) -> str:
        """The first line of its opening comment; nothing where there is none to be read."""
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        for line in text.splitlines():
            words = line.lstrip("#").strip()
            if line.startswith("#") and words and not words.startswith("yaml-language-server"):
                return words
            if line and not line.startswith("#"):
                break
        return ""


@dataclass(frozen=True)
class Source:
    """A folder of recipes and the distribution that it belongs to."""

    distribution: str
    folder: Path


def sources() -> Iterator[Source]:
    """Where the toolkit's recipes lie: the folder inside the wheel, or the repository's in an editable install."""
    package = Path(__file__).parents[1]
    for folder in (package / "shipped_recipes", package.parent / "recipes"):
        if folder.is_dir():
            yield Source(CORE, folder)
            return


def external_sources() -> Iterator[Source]:
    """The folders of other packages, in an order that does not depend on the file system."""
    from toolkit.hooks.catalogue import Catalogue

    for declared in Catalogue().recipe_folders:
        folder = locate(declared)
        if folder is not None:
            yield Source(declared.distribution, folder)


def locate(declared: RecipeFolder) -> Path | None:
    """Where a declared folder lies, or None. The package is looked for and not imported, so editable installs work."""
    from importlib.util import find_spec

    package, *inner = declared.value.replace(":", ".").split(".")
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        return None
    places = (spec.submodule_search_locations if spec is not None else None) or ()
    return next((folder for place in places if (folder := Path(place, *inner)).is_dir()), None)


def shipped_recipes() -> list[ShippedRecipe]:
    """Every shipped recipe, sorted by name, the toolkit's own before another of the same name."""
    own = [recipe for source in sources() for recipe in _recipes_in(source)]
    others = [recipe for source in external_sources() for recipe in _recipes_in(source)]
    taken = Counter(recipe.name for recipe in {*others}) + Counter({recipe.name: 2 for recipe in own})
    others = [replace(r, chosen_as=r.full_name) if taken[r.name] > 1 else r for r in dict.fromkeys(others)]
    return sorted([*own, *others], key=lambda r: (r.name, r.distribution != CORE, r.distribution))


def _recipes_in(source: Source) -> Iterator[ShippedRecipe]:
    for path in source.folder.glob("*.yaml"):
        yield ShippedRecipe(path.stem, path, source.distribution, path.stem)


def find_shipped(name: str) -> ShippedRecipe:
    """The shipped recipe called ``name``, which means the toolkit's own if there is one, or ``distribution:name``.

    Raises:
        VtkError: none, or more than one.
    """
    for source in sources():
        if ":" not in name and (own := next((r for r in _recipes_in(source) if r.name == name), None)):
            return own
    everything = shipped_recipes()
    found = [r for r in everything if is_named(name, r.name, r.distribution)]
    if len(found) == 1:
        return found[0]
    if found:
        choices = ", ".join(recipe.full_name for recipe in found)
        raise VtkError(f"several recipes are called {name!r}", hint=f"choose one of {choices}", code=ExitCode.NO_INPUT)
    names = [recipe.chosen_as for recipe in everything]
    hint = suggest(name, names) or f"shipped recipes: {', '.join(names) or 'none'}"
    raise VtkError(f"no recipe file and no shipped recipe is called {name!r}", hint=hint, code=ExitCode.NO_INPUT)


def is_shipped(name: str) -> bool:
    """Whether a shipped recipe goes by that name or full name."""
    if any((source.folder / f"{name}.yaml").is_file() for source in sources()):
        return True
    return any(is_named(name, recipe.name, recipe.distribution) for recipe in shipped_recipes())
