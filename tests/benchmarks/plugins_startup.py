"""What an installed plugin costs those who do not use it: some commands without and with one that takes 5 s to import.

Run: python tests/benchmarks/plugins_startup.py
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "helpers")]

from harness import compare, save, table  # noqa: E402
from installed import Environment, build_wheel, make_environment  # noqa: E402
from tiny_wheels import write_wheel  # noqa: E402

ROOT = Path(__file__).parents[2]
COMMANDS = {"vtk --help": ["--help"], "vtk plugins": ["plugins"], "vtk recipes ls": ["recipes", "ls"]}
ALLOWED_MS = 20
SLOW = "import time\ntime.sleep(5)\nplugin = object()\n"


def timed(environment: Environment, words: Sequence[str]) -> Callable[[], float]:
    """Measures one call in seconds, as a user waits for it."""

    def call() -> float:
        started = time.perf_counter()
        subprocess.run(
            [str(environment.folder / "bin" / "vtk"), *words], stdout=subprocess.DEVNULL, check=True, cwd="/", env=ENV
        )
        return time.perf_counter() - started

    return call


ENV = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VTK_"))}


def main() -> None:
    """Two environments that differ by one wheel, measured in turns."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        points = {"vtk.tasks": {"slow": "vtk_slow:plugin"}, "vtk.extensions": {"slow": "vtk_slow:plugin"}}
        wheels = [build_wheel(ROOT, folder)]
        without, beside = make_environment(folder / "without"), make_environment(folder / "with")
        without.install(wheels)
        beside.install([*wheels, write_wheel(folder, "vtk-slow", {"vtk_slow.py": SLOW}, points=points)])
        cases = {}
        for name, words in COMMANDS.items():
            cases[name, "without"], cases[name, "with"] = timed(without, words), timed(beside, words)
        found = compare({" ".join(key): case for key, case in cases.items()}, repeats=7)
    rows = []
    for name in COMMANDS:
        alone, together = (1e3 * found[f"{name} {which}"] for which in ("without", "with"))
        rows.append([f"`{name}`", f"{alone:.0f} ms", f"{together:.0f} ms", f"{together - alone:+.0f} ms"])
    title = f"A plugin whose import takes 5 s, installed and not used (allowed for `vtk --help`: {ALLOWED_MS} ms)"
    save("plugins_startup", table(title, ["command", "without it", "with it", "difference"], rows))


if __name__ == "__main__":
    main()
