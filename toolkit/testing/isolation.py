"""Plugins for one test: what is installed on the machine has no say in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from toolkit.hooks import catalogue as catalogue_module
from toolkit.hooks.catalogue import Catalogue
from toolkit.hooks.entry import DISABLE, Kind, Plugin
from toolkit.hooks.installed import installed_plugins
from toolkit.hooks.loading import load

UNKNOWN = "plugin-under-test"


@contextmanager
def only(*plugins: Plugin) -> Iterator[Catalogue]:
    """While the block runs, vision-toolkit's own plugins and ``plugins`` are all that is installed.

    Holds for everything in this process, ``vtk`` commands included. Other packages' recipes are unknown too, and
    ``VTK_DISABLE_PLUGINS`` is without effect.
    """
    found = list(installed_plugins())
    shown = [*(p for p in found if p.builtin), *plugins]
    hidden, Catalogue.hidden = Catalogue.hidden, tuple(p for p in found if p not in shown)
    before: dict[str, Any] = {name: getattr(catalogue_module, name) for name in _DISCOVERIES}
    disabled = os.environ.pop(DISABLE, None)
    answers: dict[str, list[Any]] = {"installed_plugins": shown, "installed_recipe_folders": []}
    for name in _DISCOVERIES:
        setattr(catalogue_module, name, lambda name=name: list(answers[name]))
    try:
        yield Catalogue(shown, disabled=())
    finally:
        Catalogue.hidden = hidden
        for name, discovery in before.items():
            setattr(catalogue_module, name, discovery)
        if disabled is not None:
            os.environ[DISABLE] = disabled


_DISCOVERIES = ("installed_plugins", "installed_recipe_folders")


def entry_of(plugin: object | str, kind: Kind, name: str | None = None) -> Plugin:
    """What a catalogue would say of a plugin.

    Args:
        plugin: the object that the entry point names, or where it is, ``package.module:attribute``, or the name of an
            installed plugin.
        name: its public name; by default the one under which it is installed, else that of its package.
    """
    installed = [p for p in installed_plugins() if p.kind == kind]
    match = next((p for p in installed if _is(p, plugin)), None)
    if match is not None:
        return match if name in (None, match.name) else replace(match, name=str(name))
    if isinstance(plugin, str):
        if ":" not in plugin:
            known = ", ".join(sorted(p.name for p in installed)) or "none"
            raise ValueError(f"no {kind} {plugin!r} is installed (installed: {known}); run `pip install -e .` first")
        return Plugin(name or plugin.split(".")[0], kind, plugin, UNKNOWN, "0", "")
    home = f"{type(plugin).__module__}:{type(plugin).__qualname__}"
    return Plugin(name or type(plugin).__name__.lower(), kind, home, UNKNOWN, "0", "", given=plugin)


def object_of(plugin: object | str, entry: Plugin) -> Any:
    """The plugin's object, imported where only its place is known."""
    return load(entry) if isinstance(plugin, str) else plugin


def _is(entry: Plugin, plugin: object | str) -> bool:
    if isinstance(plugin, str):
        return plugin in (entry.name, entry.full_name, entry.value)
    module = type(plugin).__module__.split(".")[0]
    if entry.value.split(":")[0].split(".")[0] != module:
        return False
    return load(entry) is plugin
