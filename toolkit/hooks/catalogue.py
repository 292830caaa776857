"""Which plugins are installed, and which of them a name means.

Listing imports no plugin, no pluggy and no torch; choosing a plugin imports that one and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

from toolkit.errors import ExitCode, VtkError
from toolkit.hooks.entry import CORE, DISABLE, Kind, LoadedPlugin, Plugin, RecipeFolder, Status, is_named
from toolkit.hooks.installed import fits, installed_plugins, installed_recipe_folders
from toolkit.hooks.loading import load

__all__ = ["CORE", "DISABLE", "Catalogue", "Kind", "LoadedPlugin", "Plugin", "load"]


class Catalogue:
    """The installed plugins, in an order that does not depend on the file system.

    A plain name means the built-in of that name wherever there is one: installing a package never changes what a
    recipe does. Of two other packages that claim a name, the full name ``distribution:name`` chooses.

    Args:
        plugins: instead of those that are installed.
        disabled: names, ``distribution:name`` or ``*`` for all that are not built in; by default what the
            environment variable ``VTK_DISABLE_PLUGINS`` lists, separated by commas.

    Attributes:
        loaded: those that were imported, checked and asked for their schema: once for each catalogue.
    """

    # Installed, and not to be found while a test hides them.
    hidden: ClassVar[tuple[Plugin, ...]] = ()

    def __init__(self, plugins: Iterable[Plugin] | None = None, *, disabled: Iterable[str] | None = None) -> None:
        self._given = None if plugins is None else list(plugins)
        self.loaded: dict[Plugin, LoadedPlugin] = {}
        names = os.environ.get(DISABLE, "").split(",") if disabled is None else disabled
        self.disabled = frozenset(name.strip() for name in names if name.strip())

    @cached_property
    def plugins(self) -> tuple[Plugin, ...]:
        """Every entry point, whatever its status; tasks before extensions, built-ins first, then by name."""
        found = list(installed_plugins()) if self._given is None else self._given
        found.sort(key=lambda p: (p.kind != "task", not p.builtin, p.name, p.distribution, p.value))
        core = next((p.version for p in found if p.builtin), None)
        enabled = [p for p in found if not self._is_disabled(p.name, p.distribution, p.builtin)]
        return tuple(self._judged(p, enabled, core) for p in found)

    @cached_property
    def recipe_folders(self) -> tuple[RecipeFolder, ...]:
        """The folders of recipes that other packages ship, the disabled ones left out."""
        found = [f for f in installed_recipe_folders() if not self._is_disabled(f.name, f.distribution, False)]
        return tuple(sorted(found, key=lambda folder: (folder.distribution, folder.name)))

    def names(self, kind: Kind) -> list[str]:
        """The names that a recipe may use, each once."""
        return list(dict.fromkeys(p.name for p in self.plugins if p.kind == kind and p.usable))

    def has(self, name: str, kind: Kind) -> bool:
        """Whether a plugin of that name is installed and not disabled."""
        return any(p.status != "disabled" for p in self._named(name, kind))

    def knows(self, name: str, kind: Kind) -> bool:
        """Whether a plugin of that name is installed, disabled ones included."""
        return bool(self._named(name, kind))

    def named(self, name: str, kind: Kind) -> Plugin | None:
        """The one plugin that ``name`` means, or None where there is none, or no single one."""
        able = self._able(name, kind)
        return able[0] if len(able) == 1 else None

    def find(self, name: str, kind: Kind) -> Plugin:
        """The one plugin that ``name`` or ``distribution:name`` means.

        Raises:
            VtkError: none, a disabled one, or more than one.
        """
        able = self._able(name, kind)
        if len(able) == 1:
            return able[0]
        if able:
            raise _ambiguous(name, kind, able)
        if named := self._named(name, kind):
            raise _switched_off(named[0])
        known = ", ".join(self.names(kind)) or "none"
        raise VtkError(f"no {kind} is called {name!r}", hint=f"installed: {known}", code=ExitCode.UNAVAILABLE)

    def load(self, name: str, kind: Kind) -> Any:
        """Imports the plugin's object, and nothing else.

        Raises:
            VtkError: not to be had, or its import failed in whatever way.
        """
        return load(self.find(name, kind))

    def _named(self, name: str, kind: Kind) -> list[Plugin]:
        return [p for p in self.plugins if p.kind == kind and p.goes_by(name)]

    def _able(self, name: str, kind: Kind) -> list[Plugin]:
        """Those that are not switched off; the built-in alone where there is one."""
        able = [p for p in self._named(name, kind) if p.status != "disabled"]
        return [p for p in able if p.builtin] or able

    def _is_disabled(self, name: str, distribution: str, builtin: bool) -> bool:
        if "*" in self.disabled and not builtin:
            return True
        return any(is_named(asked, name, distribution) for asked in self.disabled)

    def _judged(self, plugin: Plugin, enabled: Sequence[Plugin], core: str | None) -> Plugin:
        status, reason = self._status(plugin, enabled, core)
        return replace(plugin, status=status, reason=reason)

    def _status(self, plugin: Plugin, enabled: Sequence[Plugin], core: str | None) -> tuple[Status, str]:
        """The status and the reason for it; what is worse hides what is less bad."""
        if plugin not in enabled:
            return "disabled", f"switched off ({DISABLE}, --no-plugins)"
        if plugin.status == "broken":
            return plugin.status, plugin.reason
        if plugin.needs and core is not None and not fits(core, plugin.needs):
            return "incompatible", f"needs {CORE}{plugin.needs}, have {core}"
        if plugin.builtin:
            return "ok", ""
        rivals = [p for p in enabled if p != plugin and (p.name, p.kind) == (plugin.name, plugin.kind)]
        if rivals:
            return "duplicate", _rivalry(plugin, rivals)
        return plugin.status, plugin.reason


def _rivalry(plugin: Plugin, rivals: Sequence[Plugin]) -> str:
    if any(p.builtin for p in rivals):
        return f"{plugin.name} is the built-in {plugin.kind}; choose this one as {plugin.full_name}"
    return f"also in {', '.join(p.owner for p in rivals)}; choose this one as {plugin.full_name}"


def _ambiguous(name: str, kind: Kind, rivals: Sequence[Plugin]) -> VtkError:
    owners = "\n".join(f"  {p.full_name} ({p.owner}, {p.value})" for p in rivals)
    hint = f"choose one by its full name, e.g. {rivals[0].full_name}, or uninstall the other"
    return VtkError(
        f"{len(rivals)} installed distributions claim the {kind} {name!r}:\n{owners}",
        hint=hint,
        code=ExitCode.UNAVAILABLE,
    )


def _switched_off(plugin: Plugin) -> VtkError:
    return VtkError(
        f"the {plugin.kind} {plugin.name!r} of {plugin.distribution} is disabled",
        hint=f"take it out of the environment variable {DISABLE}, or leave out --no-plugins",
        code=ExitCode.UNAVAILABLE,
    )
