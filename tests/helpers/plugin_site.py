"""Installs small distributions into a folder on ``sys.path``, so that the real discovery finds them."""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

TASKS, EXTENSIONS = "vtk.tasks", "vtk.extensions"

GOOD_TASK = """
from toolkit import Recipe, hookimpl

class Task:
    @hookimpl
    def vtk_config(self):
        return Recipe

    @hookimpl
    def vtk_data(self, recipe, run): ...

    @hookimpl
    def vtk_model(self, recipe, data): ...

    @hookimpl
    def vtk_loss(self, recipe, data): ...

plugin = Task()
"""


class Site:
    """A folder of distributions: metadata with entry points, and the modules that these name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(
        self,
        name: str,
        *,
        tasks: Mapping[str, str] | None = None,
        extensions: Mapping[str, str] | None = None,
        modules: Mapping[str, str] | None = None,
        version: str = "1.0",
        entry_points: str | None = None,
        requires: Sequence[str] = (),
        about: str = "",
    ) -> None:
        """Writes ``name``'s metadata and modules.

        Args:
            entry_points: the text of that file, instead of what ``tasks`` and ``extensions`` give.
            requires: what the distribution depends on.
            about: more lines of ``METADATA``.
        """
        info = self.folder / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: {name} for tests\n"
        needs = "".join(f"Requires-Dist: {requirement}\n" for requirement in requires)
        (info / "METADATA").write_text(f"{head}{needs}{about}")
        (info / "entry_points.txt").write_text(
            entry_points or _group(TASKS, tasks or {}) + _group(EXTENSIONS, extensions or {})
        )
        for module, source in (modules or {}).items():
            (self.folder / f"{module}.py").write_text(textwrap.dedent(source))
        importlib.invalidate_caches()

    @contextmanager
    def active(self) -> Iterator[Site]:
        """The folder on ``sys.path``; its modules are forgotten afterwards."""
        sys.path.insert(0, str(self.folder))
        importlib.invalidate_caches()
        try:
            yield self
        finally:
            sys.path.remove(str(self.folder))
            for name, module in list(sys.modules.items()):
                if str(getattr(module, "__file__", None) or "").startswith(str(self.folder)):
                    del sys.modules[name]


def _group(name: str, points: Mapping[str, str]) -> str:
    lines = [f"{point} = {value}" for point, value in points.items()]
    return "\n".join([f"[{name}]", *lines, ""])
