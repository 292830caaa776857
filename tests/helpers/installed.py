"""Distributions built as wheels and installed into a virtual environment over the running one. No network."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_OURS = ("PYTHON", "PYTEST", "VTK_")


@dataclass(frozen=True)
class Environment:
    """A virtual environment that has what the running one has, and what was installed into it."""

    folder: Path

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python")

    def install(self, wheels: Iterable[Path]) -> None:
        """Install wheels as pip does, and nothing else."""
        self._pip(["--no-index", "--ignore-installed", *map(str, wheels)])

    def install_editable(self, project: Path) -> None:
        """``pip install -e .``, with the build tools that are here."""
        self._pip(["--no-build-isolation", "--editable", str(project)])

    def _pip(self, words: list[str]) -> None:
        done = call([sys.executable, "-m", "pip", "--python", self.python, "install", "--quiet", "--no-deps", *words])
        if done.returncode:
            raise AssertionError(done.stdout + done.stderr)

    def run(self, module: str, *words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
        """What ``python -m module`` says there, e.g. ``toolkit.cli``, which is ``vtk``."""
        return call([self.python, "-m", module, *map(str, words)], cwd=cwd)


def call(command: list[str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A process that knows nothing of this one's Python and pytest."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(_OURS) or k == "VTK_CPU_FEATURES"}
    return subprocess.run(command, cwd=cwd, env={**env, "OMP_NUM_THREADS": "1"}, text=True, capture_output=True)


def build_wheel(project: Path, folder: Path) -> Path:
    """The wheel of a project, built with the tools that are here, in ``folder``."""
    before = set(folder.glob("*.whl"))
    done = call([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(project)])
    if done.returncode:
        raise AssertionError(done.stdout + done.stderr)
    (wheel,) = set(folder.glob("*.whl")) - before
    return wheel


def make_environment(folder: Path) -> Environment:
    """A virtual environment without pip that finds the running one's packages after its own."""
    venv.create(folder, with_pip=False, symlinks=True)
    packages = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
    running = [path for path in map(Path, sys.path) if path.name == "site-packages"]
    lines = [f"import site; site.addsitedir({str(path)!r})\n" for path in running]
    Path(packages, "running.pth").write_text("".join(lines))
    return Environment(folder)
