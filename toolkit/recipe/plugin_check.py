"""Everything that can be known of one plugin by importing it, and of one folder of recipes by loading them.

Run as a module, this is the process of its own in which ``vtk plugins --check`` imports a plugin: it takes what to
examine as JSON and prints a JSON verdict, whatever the plugin prints or does.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.errors import ExitCode, VtkError
from toolkit.hooks.entry import LoadedPlugin, Plugin
from toolkit.hooks.lint import implemented, truncate_list
from toolkit.recipe.plugins import load_entry, options_of
from toolkit.types.options import Option


@dataclass(frozen=True)
class Examined:
    """An imported plugin with the hooks that it implements and the flags that it gives."""

    loaded: LoadedPlugin
    hooks: list[str]
    flags: list[Option]


def examine(entry: Plugin) -> Examined:
    """Imports, checks and registers a plugin, as a run would, and looks where its flags lead.

    Raises:
        VtkError: whatever is wrong with it.
    """
    plugin = load_entry(entry)
    flags = list(options_of(plugin)) if entry.kind == "task" else []
    return Examined(plugin, implemented(plugin.plugin), flags)


def examine_recipes(paths: Sequence[Path]) -> None:
    """Loads each recipe, and its demo where it has one.

    Raises:
        VtkError: some cannot be loaded; says which and why.
    """
    from toolkit.recipe.load import Reading, load_recipe

    faults = []
    for path in paths:
        try:
            reading = Reading(path)
            load_recipe(reading)
            if any("demo" in document.root.entries for document in reading.chain):
                load_recipe(reading, demo=True)
        except VtkError as error:
            faults.append(str(error).splitlines()[0])
    if faults:
        raise VtkError(
            f"{len(faults)} of {len(paths)} recipes cannot be loaded:\n{truncate_list(faults)}", code=ExitCode.RECIPE
        )


def _verdict(subject: dict[str, Any]) -> dict[str, Any]:
    """What was found: the error's text and traceback, None where there is none, and the seconds that it took."""
    started = time.perf_counter()
    error = trace = None
    try:
        if "recipes" in subject:
            examine_recipes([Path(path) for path in subject["recipes"]])
        else:
            examine(Plugin(**subject))
    except VtkError as found:
        error = found.message
        trace = "".join(traceback.format_exception(found))
    except BaseException as found:
        error = f"{type(found).__name__}: {found}"
        trace = "".join(traceback.format_exception(found))
    return {"error": error, "traceback": trace, "seconds": round(time.perf_counter() - started, 3)}


def main() -> None:
    """Prints the verdict where stdout was; what the plugin itself prints goes to stderr."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answer:
        os.dup2(2, 1)
        answer.write(json.dumps(_verdict(json.loads(sys.argv[1]))))


if __name__ == "__main__":
    main()
    sys.stderr.flush()
    os._exit(0)  # the answer is given: a thread that the plugin has started is not waited for
