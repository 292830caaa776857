"""What the installed distributions declare, read from their metadata alone.

Most distributions declare nothing for vtk and are left after one look at their entry points. Metadata that cannot be
read must not hide the plugins of others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.message import Message
from importlib import metadata
from typing import Any

from toolkit.hooks.entry import CORE, GROUPS, RECIPES, Kind, Plugin, RecipeFolder, normalized


@dataclass(frozen=True)
class _Declaring:
    """A distribution that may have an entry point for vtk: the text that says so, and its metadata, parsed once."""

    distribution: metadata.Distribution
    entry_points: str
    about: Any

    def get(self, key: str) -> str:
        """One line of its metadata, ``?`` where it is missing."""
        return self.about.get(key) or "?"


def installed_plugins() -> Iterator[Plugin]:
    """The tasks and extensions of all distributions on ``sys.path``."""
    for found in _declaring(GROUPS):
        yield from _plugins_of(found, [kind for group, kind in GROUPS.items() if group in found.entry_points])


def installed_recipe_folders() -> Iterator[RecipeFolder]:
    """The recipe folders of all distributions on ``sys.path``."""
    for found in _declaring((RECIPES,)):
        try:
            points = list(found.distribution.entry_points)
        except Exception:
            continue  # `vtk plugins` says that these metadata cannot be read
        name, version = found.get("Name"), found.get("Version")
        yield from (RecipeFolder(p.name, p.value, name, version) for p in points if p.group == RECIPES)


def _declaring(groups: Iterable[str]) -> Iterable[_Declaring]:
    """The distributions that seem to have an entry point in one of ``groups``.

    Of two copies of a distribution the first on ``sys.path`` counts, as for imports; of two in one folder, which an
    installation that failed leaves behind, the one whose version comes last as text, whatever the folder's order.
    """
    kept: dict[str, tuple[str, _Declaring]] = {}
    for distribution in metadata.distributions():
        try:
            text = distribution.read_text("entry_points.txt") or ""
            folder = str(distribution.locate_file(""))
        except Exception:
            continue
        if not any(group in text for group in groups):
            continue
        found = _Declaring(distribution, text, _about(distribution))
        name = normalized(found.get("Name"))
        before = kept.get(name)
        if before is None or (before[0] == folder and found.get("Version") > before[1].get("Version")):
            kept[name] = folder, found
    return [found for _, found in kept.values()]


def _about(distribution: metadata.Distribution) -> Any:
    """Its metadata as a message; empty where they cannot be read. Each look at ``metadata`` would parse them anew."""
    try:
        return distribution.metadata or Message()
    except Exception:
        return Message()


def _plugins_of(found: _Declaring, kinds: list[Kind]) -> Iterator[Plugin]:
    name, version, summary = (found.get(key) for key in ("Name", "Version", "Summary"))
    try:
        points = list(found.distribution.entry_points)
    except Exception:
        reason = "its entry points cannot be read"
        yield Plugin(name, kinds[0], "", name, version, summary, status="broken", reason=reason)
        return
    builtin = normalized(name) == CORE
    needs, homepage = ("", "") if builtin else (_needs(found), _homepage(found))
    for point in points:
        kind = GROUPS.get(point.group)
        if kind is not None:
            yield Plugin(
                point.name, kind, point.value, name, version, summary, builtin=builtin, needs=needs, homepage=homepage
            )


def _needs(found: _Declaring) -> str:
    """The versions of vision-toolkit that it asks for; nothing where it does not say, or not legibly."""
    try:
        lines = found.about.get_all("Requires-Dist") or found.distribution.requires or ()
        return ",".join(filter(None, (_required_range(line) for line in lines if _names_core(line))))
    except Exception:
        return ""


def _names_core(requirement: str) -> bool:
    name = re.match(r"\s*([\w.-]+)", requirement)
    return name is not None and normalized(name[1]) == CORE


def _required_range(requirement: str) -> str:
    """The range in a requirement, in its own order; nothing where only an extra asks for it.

    Raises:
        packaging.requirements.InvalidRequirement: not legible.
    """
    from packaging.requirements import Requirement

    wanted = Requirement(requirement)
    applies = wanted.marker is None or wanted.marker.evaluate({"extra": ""})
    return ",".join(sorted(map(str, wanted.specifier), key=requirement.replace(" ", "").find)) if applies else ""


def fits(version: str, needs: str) -> bool:
    """Whether a version is in a range; a pre-release of one that would fit fits, and so does what is illegible."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import InvalidVersion

    try:
        return SpecifierSet(needs).contains(version, prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return True


def _homepage(found: _Declaring) -> str:
    """The page that the author calls the home page, else the first one given."""
    try:
        urls = dict(url.split(", ", 1) for url in found.about.get_all("Project-URL") or () if ", " in url)
        own = {re.sub(r"[\W_]", "", label).lower(): url for label, url in urls.items()}
        return own.get("homepage") or found.about.get("Home-page") or next(iter(urls.values()), "")
    except Exception:
        return ""
