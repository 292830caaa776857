"""``vtk plugins --check``: each plugin, and each folder of recipes that a package ships, examined apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from toolkit.cli.plugin_facts import facts
from toolkit.hooks.catalogue import Catalogue
from toolkit.hooks.entry import CORE, Plugin, RecipeFolder, Status
from toolkit.hooks.isolation import Verdict, examine_apart
from toolkit.recipe.shipped import locate


@dataclass(frozen=True)
class Row:
    """What was found of one plugin, or of one folder of recipes."""

    name: str
    kind: str
    distribution: str
    version: str
    status: Status
    about: str
    facts: Mapping[str, Any]
    seconds: float | None = None
    traceback: str | None = None

    @property
    def well(self) -> bool:
        """Whether it would work if it were chosen."""
        return self.status not in ("broken", "incompatible")

    @property
    def cells(self) -> list[Any]:
        """Its row in the table."""
        seconds = None if self.seconds is None else f"{self.seconds:.2f}"
        return [self.name, self.kind, self.distribution, self.version, self.status, seconds, self.about]

    @property
    def document(self) -> dict[str, Any]:
        """As JSON says it."""
        return {**self.facts, "seconds": self.seconds, "traceback": self.traceback}


def check_all(catalogue: Catalogue, timeout: float) -> list[Row]:
    """A row for each plugin, then one for each folder of recipes. What metadata rule out is not imported."""
    plugins = list(catalogue.plugins)
    folders = {declared: locate(declared) for declared in catalogue.recipe_folders}
    able = [plugin for plugin in plugins if plugin.usable]
    there = {declared: sorted(folder.glob("*.yaml")) for declared, folder in folders.items() if folder is not None}
    subjects: list[dict[str, Any]] = [asdict(plugin) for plugin in able]
    subjects += [{"recipes": [str(path) for path in paths]} for paths in there.values()]
    verdicts = iter(examine_apart(subjects, timeout=timeout))
    found = {plugin: next(verdicts) for plugin in able}
    rows = [_plugin_row(plugin, found.get(plugin)) for plugin in plugins]
    judged = {declared: next(verdicts) for declared in there}
    missing = Verdict("there is no such folder in the package")
    return rows + [_recipes_row(d, len(there.get(d, ())), judged.get(d, missing)) for d in folders]


def _plugin_row(plugin: Plugin, verdict: Verdict | None) -> Row:
    verdict = verdict or Verdict(None)
    if verdict.error is not None:
        plugin = replace(plugin, status="broken", reason=_in_short(verdict.error))
    elif plugin.status == "unchecked":
        plugin = replace(plugin, status="ok")
    about = plugin.reason or ("" if plugin.distribution == CORE else plugin.summary)
    return Row(
        plugin.name,
        plugin.kind,
        plugin.distribution,
        plugin.version,
        plugin.status,
        about,
        facts(plugin),
        verdict.seconds,
        verdict.traceback,
    )


def _recipes_row(declared: RecipeFolder, count: int, verdict: Verdict) -> Row:
    status: Status = "ok" if verdict.error is None else "broken"
    about = f"{count} recipes in {declared.value}" if verdict.error is None else _in_short(verdict.error)
    facts = {**asdict(declared), "kind": "recipes", "status": status, "reason": about}
    return Row(
        declared.name,
        "recipes",
        declared.distribution,
        declared.version,
        status,
        about,
        facts,
        verdict.seconds,
        verdict.traceback,
    )


def _in_short(error: str) -> str:
    """The part of an error that the row does not say already."""
    head, *rest = [line.strip() for line in error.splitlines() if not line.startswith("  from ")]
    return "; ".join(rest) or head
