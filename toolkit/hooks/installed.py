"""What the installed distributions declare, read from their metadata alone.

Most distributions declare nothing for vtk and are left after one look at their entry points. Metadata that cannot be
read must not hide the plugins of others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib import metadata

from toolkit.hooks.entry import CORE, GROUPS, RECIPES, Kind, Plugin, RecipeFolder, normalized
from toolkit.hooks.ranges import required_range


def installed_plugins() -> Iterator[Plugin]:
    """The tasks and extensions of all distributions on ``sys.path``."""
    for distribution, text in _declaring(GROUPS):
        yield from _plugins_of(distribution, [kind for group, kind in GROUPS.items() if group in text])


def installed_recipe_folders() -> Iterator[RecipeFolder]:
    """The recipe folders of all distributions on ``sys.path``."""
    for distribution, _ in _declaring((RECIPES,)):
        try:
            points = list(distribution.entry_points)
        except Exception:
            continue  # `vtk plugins` says that these metadata cannot be read
        name, version = (_about(distribution, key) for key in ("Name", "Version"))
        yield from (RecipeFolder(p.name, p.value, name, version) for p in points if p.group == RECIPES)


def _declaring(groups: Iterable[str]) -> Iterator[tuple[metadata.Distribution, str]]:
    """The distributions that seem to have an entry point in one of ``groups``, with the text that says so.

    Of two copies of a distribution the first on ``sys.path`` counts, as for imports; of two in one folder, which an
    installation that failed leaves behind, the one whose version comes last as text, whatever the folder's order.
    """
    found: dict[str, tuple[str, str, metadata.Distribution, str]] = {}
    for distribution in metadata.distributions():
        try:
            text = distribution.read_text("entry_points.txt") or ""
            folder = str(distribution.locate_file(""))
        except Exception:
            continue
        if not any(group in text for group in groups):
            continue
        name, version = normalized(_about(distribution, "Name")), _about(distribution, "Version")
        kept = found.get(name)
        if kept is None or (kept[0] == folder and version > kept[1]):
            found[name] = folder, version, distribution, text
    for _, _, distribution, text in found.values():
        yield distribution, text


def _plugins_of(distribution: metadata.Distribution, kinds: list[Kind]) -> Iterator[Plugin]:
    name, version, summary = (_about(distribution, key) for key in ("Name", "Version", "Summary"))
    try:
        points = list(distribution.entry_points)
    except Exception:
        reason = "its entry points cannot be read"
        yield Plugin(name, kinds[0], "", name, version, summary, status="broken", reason=reason)
        return
    builtin = normalized(name) == CORE
    needs, homepage = ("", "") if builtin else (_needs(distribution), _homepage(distribution))
    for point in points:
        kind = GROUPS.get(point.group)
        if kind is not None:
            yield Plugin(
                point.name, kind, point.value, name, version, summary, builtin=builtin, needs=needs, homepage=homepage
            )


def _about(distribution: metadata.Distribution, key: str) -> str:
    try:
        return distribution.metadata.get(key) or "?"  # type: ignore[attr-defined]
    except Exception:
        return "?"


def _needs(distribution: metadata.Distribution) -> str:
    """The versions of vision-toolkit that it asks for; nothing where it does not say, or not legibly."""
    try:
        found = [(line, name) for line in distribution.requires or () if (name := _core_name(line)) is not None]
        return ",".join(filter(None, (required_range(line, name.end()) for line, name in found)))
    except Exception:
        return ""


def _core_name(requirement: str) -> re.Match[str] | None:
    """The requirement's name, if it is vision-toolkit's."""
    name = re.match(r"\s*([\w.-]+)", requirement)
    return name if name is not None and normalized(name[1]) == CORE else None


def _homepage(distribution: metadata.Distribution) -> str:
    """The page that the author calls the home page, else the first one given."""
    try:
        urls = dict(url.split(", ", 1) for url in distribution.metadata.get_all("Project-URL") or () if ", " in url)
        own = {re.sub(r"[\W_]", "", label).lower(): url for label, url in urls.items()}
        home = distribution.metadata.get("Home-page")  # type: ignore[attr-defined]
        return own.get("homepage") or home or next(iter(urls.values()), "")
    except Exception:
        return ""
