"""Listing plugins and asking for help stay quick, whatever a plugin needs in order to train."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from toolkit.testing.findings import ConformanceError, NotApplicable, finding
from toolkit.testing.subject import Subject

HEAVY = ("torch", "torchvision", "timm", "albumentations", "sklearn", "scipy", "matplotlib", "torchmetrics")

_SCRIPT = """
import importlib, json, sys
from toolkit.hooks.catalogue import Catalogue
heavy, value = json.loads(sys.argv[1])
Catalogue().plugins
listed = [name for name in [*heavy, value.partition(":")[0]] if name in sys.modules]
module, _, attribute = value.partition(":")
plugin = importlib.import_module(module)
for part in filter(None, attribute.split(".")):
    plugin = getattr(plugin, part)
for hook in ("vtk_config", "vtk_options"):
    getattr(plugin, hook, lambda: None)()
print(json.dumps([listed, [name for name in heavy if name in sys.modules]]))
"""


@finding
def check_imports(subject: Subject) -> None:
    """A fresh Python lists the plugins without importing this one, and reads its schema without torch and its like."""
    place = _place(subject)
    path = os.pathsep.join(dict.fromkeys(entry or os.getcwd() for entry in sys.path))
    command = [sys.executable, "-c", _SCRIPT, json.dumps([HEAVY, place])]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, text=True, capture_output=True, check=False)
    if done.returncode:
        raise ConformanceError("imports", f"a fresh Python cannot import {place}:\n{done.stderr}", "mend that first")
    listed, used = json.loads(done.stdout.splitlines()[-1])
    if listed:
        raise ConformanceError(
            "imports", f"listing the plugins imports {', '.join(listed)}", "let the distribution install no .pth file"
        )
    if used:
        raise ConformanceError(
            "imports",
            f"reading a recipe's schema imports {', '.join(used)}, which costs every command of the task seconds",
            f"import them inside the hooks that need them, not at the top of {place.partition(':')[0]}",
        )


def _place(subject: Subject) -> str:
    """``package.module:attribute``, by which a fresh Python finds the plugin."""
    if subject.entry.given is None:
        return subject.entry.value
    module = type(subject.plugin).__module__
    for name, value in vars(sys.modules.get(module, object)).items():
        if value is subject.plugin:
            return f"{module}:{name}"
    raise NotApplicable(
        "the plugin was given as an object that no module holds; name its place, 'package.module:plugin'"
    )
