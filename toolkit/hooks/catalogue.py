"""Which plugins are installed, read from distribution metadata alone.

Listing imports no plugin, no pluggy and no torch; choosing a plugin imports that one and nothing else.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import metadata
from typing import Any, Literal

from toolkit.errors import ExitCode, VtkError

Kind = Literal["task", "extension"]
Status = Literal["ok", "disabled", "duplicate", "broken"]

GROUPS: dict[str, Kind] = {"vtk.tasks": "task", "vtk.extensions": "extension"}
CORE = "vision-toolkit"
DISABLE = "VTK_DISABLE_PLUGINS"

_ERROR_LENGTH = 200


@dataclass(frozen=True)
class Plugin:
    """One entry point: a task or an extension, not imported.

    Args:
        name: the public name, unique within its kind unless another distribution claims it too.
        kind: task or extension.
        value: the entry point's object, ``package.module:attribute``.
        status: ``ok`` says only that nothing in the metadata speaks against it; it has not been imported. ``broken``
            metadata names no plugin that could be read, and stands here under the distribution's name.
        builtin: whether it comes with vision-toolkit itself.
    """

    name: str
    kind: Kind
    value: str
    distribution: str
    version: str
    summary: str
    status: Status = "ok"
    builtin: bool = False

    @property
    def full_name(self) -> str:
        """``distribution:name``, which chooses between two plugins of one name."""
        return f"{self.distribution}:{self.name}"


@dataclass(frozen=True)
class Loaded:
    """An imported plugin: its entry in the catalogue, its object, and the schema that its ``vtk_config`` returned."""

    entry: Plugin
    plugin: Any
    schema: type[Any]


class Catalogue:
    """The installed plugins, in an order that does not depend on the file system.

    Args:
        plugins: instead of those that are installed.
        disabled: names, ``distribution:name`` or ``*`` for all that are not built in; by default what the
            environment variable ``VTK_DISABLE_PLUGINS`` lists, separated by commas.
    """

    def __init__(self, plugins: Iterable[Plugin] | None = None, *, disabled: Iterable[str] | None = None) -> None:
        self._given = None if plugins is None else list(plugins)
        names = os.environ.get(DISABLE, "").split(",") if disabled is None else disabled
        self.disabled = frozenset(name.strip() for name in names if name.strip())

    @cached_property
    def plugins(self) -> tuple[Plugin, ...]:
        """Every entry point, the disabled and the duplicate ones too; built-ins first, then by name."""
        found = list(_installed()) if self._given is None else self._given
        found.sort(key=lambda p: (p.kind != "task", not p.builtin, p.name, p.distribution))
        enabled = [p for p in found if not self._is_disabled(p)]
        return tuple(_with_status(p, self._status(p, enabled)) for p in found)

    def names(self, kind: Kind) -> list[str]:
        """The names that a recipe may use, each once."""
        return list(dict.fromkeys(p.name for p in self.plugins if p.kind == kind and p.status in ("ok", "duplicate")))

    def has(self, name: str, kind: Kind) -> bool:
        """Whether a plugin of that name is installed and not disabled."""
        return any(p.status != "disabled" for p in self._named(name, kind))

    def knows(self, name: str, kind: Kind) -> bool:
        """Whether a plugin of that name is installed, disabled ones included."""
        return bool(self._named(name, kind))

    def find(self, name: str, kind: Kind) -> Plugin:
        """The one plugin that ``name`` or ``distribution:name`` means.

        Raises:
            VtkError: none, a disabled one, or more than one.
        """
        named = self._named(name, kind)
        able = [p for p in named if p.status != "disabled"]
        if len(able) == 1:
            return able[0]
        if able:
            raise _ambiguous(name, kind, able)
        if named:
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
        return [p for p in self.plugins if p.kind == kind and name in (p.name, p.full_name)]

    def _is_disabled(self, plugin: Plugin) -> bool:
        if "*" in self.disabled and not plugin.builtin:
            return True
        return plugin.name in self.disabled or plugin.full_name in self.disabled

    def _status(self, plugin: Plugin, enabled: Sequence[Plugin]) -> Status:
        if self._is_disabled(plugin):
            return "disabled"
        rivals = [p for p in enabled if (p.name, p.kind) == (plugin.name, plugin.kind)]
        return "duplicate" if len(rivals) > 1 else plugin.status


def load(plugin: Plugin) -> Any:
    """Imports a plugin's object. Whatever goes wrong in it becomes a ``VtkError`` of at most five lines."""
    if plugin.status == "broken":
        hint = _remedy(plugin)
        raise VtkError(f"the metadata of {plugin.distribution} cannot be read", hint=hint, code=ExitCode.UNAVAILABLE)
    module, _, attribute = plugin.value.partition(":")
    return guarded(plugin, "cannot be loaded", lambda: _resolve(module.strip(), attribute.split("[")[0].strip()))


def guarded(plugin: Plugin, failure: str, call: Callable[[], Any]) -> Any:
    """``call()``, which runs the plugin's code, with any of its failures told as the plugin's."""
    try:
        return call()
    except VtkError:
        raise
    except (Exception, SystemExit) as error:
        text = " ".join(str(error).split())[:_ERROR_LENGTH]
        raise VtkError(
            f"the {plugin.kind} {plugin.name!r} {failure}\n"
            f"  from {plugin.distribution} {plugin.version}, entry point {plugin.value}\n"
            f"  {type(error).__name__}{f': {text}' if text else ''}",
            hint=_remedy(plugin),
            code=ExitCode.UNAVAILABLE,
        ) from error


def _remedy(plugin: Plugin) -> str:
    if plugin.builtin:
        return f"reinstall it: pip install --force-reinstall {plugin.distribution}"
    return f"update it (pip install -U {plugin.distribution}), or do without: {DISABLE}={plugin.full_name}"


def _resolve(module: str, attribute: str) -> Any:
    found = importlib.import_module(module)
    for part in filter(None, attribute.split(".")):
        found = getattr(found, part)
    return found


def _with_status(plugin: Plugin, status: Status) -> Plugin:
    return replace(plugin, status=status)


def _ambiguous(name: str, kind: Kind, rivals: Sequence[Plugin]) -> VtkError:
    owners = "\n".join(f"  {p.full_name} ({p.distribution} {p.version}, {p.value})" for p in rivals)
    hint = f"choose one by its full name, e.g. {rivals[0].full_name}, or uninstall the other"
    return VtkError(
        f"{len(rivals)} installed distributions claim the {kind} {name!r}:\n{owners}",
        hint=hint,
        code=ExitCode.UNAVAILABLE,
    )


def _switched_off(plugin: Plugin) -> VtkError:
    return VtkError(
        f"the {plugin.kind} {plugin.name!r} of {plugin.distribution} is disabled",
        hint=f"take it out of the environment variable {DISABLE}",
        code=ExitCode.UNAVAILABLE,
    )


def _installed() -> Iterator[Plugin]:
    """The entry points of all distributions on ``sys.path``; of two copies of a distribution the first counts."""
    seen: set[str] = set()
    for distribution in metadata.distributions():
        found = list(_plugins_of(distribution))
        name = found[0].distribution.lower().replace("_", "-") if found else ""
        if found and name not in seen:
            seen.add(name)
            yield from found


def _plugins_of(distribution: metadata.Distribution) -> Iterator[Plugin]:
    """One distribution's plugins. Metadata that cannot be read must not hide the plugins of others."""
    kinds = _kinds(distribution)
    if not kinds:
        return
    name, version, summary = (_about(distribution, key) for key in ("Name", "Version", "Summary"))
    try:
        points = list(distribution.entry_points)
    except Exception:
        yield Plugin(name, kinds[0], "", name, version, summary, status="broken")
        return
    for point in points:
        kind = GROUPS.get(point.group)
        if kind is not None:
            yield Plugin(point.name, kind, point.value, name, version, summary, builtin=name == CORE)


def _kinds(distribution: metadata.Distribution) -> list[Kind]:
    """The kinds of plugin that a distribution seems to have: most have none, and need no parsing."""
    try:
        text = distribution.read_text("entry_points.txt") or ""
    except Exception:
        return []
    return [kind for group, kind in GROUPS.items() if group in text]


def _about(distribution: metadata.Distribution, key: str) -> str:
    try:
        return distribution.metadata.get(key) or "?"  # type: ignore[attr-defined]
    except Exception:
        return "?"
