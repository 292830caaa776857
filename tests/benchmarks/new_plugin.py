"""How long the author of a new plugin waits for its tests: ``pytest`` as a whole, and what of it is imports.

Run: python tests/benchmarks/new_plugin.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "helpers")]

from harness import compare, save, table  # noqa: E402
from installed import Environment, make_environment  # noqa: E402

KINDS = ("task", "extension")
ALLOWED = 10
IMPORTED = """
import json, sys

def pytest_sessionfinish():
    names = [name for name, module in sys.modules.items() if getattr(module, "__file__", None)]
    with open({path!r}, "w") as file:
        json.dump(names, file)
"""
AGAIN = """
import importlib, json, sys, warnings
warnings.simplefilter("ignore")
for name in json.load(open({path!r})):
    try:
        importlib.import_module(name)
    except Exception:
        pass
"""


def make_project(folder: Path, kind: str) -> tuple[Environment, Path, Path]:
    """An environment, a new plugin installed in it as its README says, and the names of what its tests import."""
    made, project, names = make_environment(folder / "venv"), folder / "vtk-line-art", folder / "imported.json"
    made.run("toolkit.cli", "new-plugin", "line-art", "--kind", kind, cwd=folder).check_returncode()
    made.install_editable(project)
    (folder / "imported.py").write_text(IMPORTED.format(path=str(names)))
    (folder / "again.py").write_text(AGAIN.format(path=str(names)))
    words = ["-c", f"import sys, pytest; sys.path[:0] = [{str(folder)!r}]; sys.exit(pytest.main(['-pimported']))"]
    timed(made, words, project)()
    return made, project, names


def timed(made: Environment, words: list[str], project: Path) -> Callable[[], float]:
    """Measures a process in seconds."""

    def call() -> float:
        started = time.perf_counter()
        subprocess.run([made.python, *words], cwd=project, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - started

    return call


def main() -> None:
    """Both kinds, their tests and their imports in turns."""
    with tempfile.TemporaryDirectory() as scratch:
        cases = {}
        for kind in KINDS:
            (Path(scratch) / kind).mkdir()
            made, project, _ = make_project(Path(scratch) / kind, kind)
            cases[f"{kind} pytest"] = timed(made, ["-m", "pytest", "-q"], project)
            cases[f"{kind} imports"] = timed(made, [str(Path(scratch) / kind / "again.py")], project)
        found = compare(cases, repeats=2, tries=3)
    rows = []
    for kind in KINDS:
        whole, imports = found[f"{kind} pytest"], found[f"{kind} imports"]
        rows.append([f"`--kind {kind}`", f"{whole:.1f} s", f"{imports:.1f} s", f"{whole - imports:.1f} s"])
    title = f"`pytest` in a new plugin (allowed beyond its imports: {ALLOWED} s)"
    save("new_plugin", table(title, ["new-plugin", "pytest", "its imports alone", "beyond them"], rows))


if __name__ == "__main__":
    main()
