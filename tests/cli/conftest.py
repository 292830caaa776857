"""``vtk`` in this process and as a process, with the toy task installed as a distribution of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from plugin_site import Site

HELPERS = Path(__file__).parents[1] / "helpers"

TOY = """
# Least squares on numbers
task: toy
train: {epochs: 2, batch_size: 8}
loader: {workers: 0}
extensions: {tensorboard: false}
demo: {data: {count: 16}}
"""


@dataclass
class Said:
    """How a call of ``vtk`` ended."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def toy_site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A folder in which the toy task is installed."""
    site = Site(tmp_path_factory.mktemp("site"))
    modules = {"cli_toy": (HELPERS / "toy_task.py").read_text(), "cli_predicts": PREDICTS}
    site.install("vtk-toy", tasks={"toy": "cli_predicts:plugin"}, modules=modules)
    return site


PREDICTS = '''
"""The toy task, with a flag, predictions and a table in the report."""
from pathlib import Path

from cli_toy import ToyTask
from toolkit import Option, Table, VtkError, hookimpl


class PredictingToy(ToyTask):
    @hookimpl
    def vtk_options(self):
        return [Option("--count", key="data.count", help="How many samples are drawn.", metavar="N")]

    @hookimpl
    def vtk_predict(self, bundle, inputs):
        import torch

        records = []
        for path in inputs:
            try:
                numbers = [float(word) for word in Path(path).read_text().split()]
            except ValueError:
                raise VtkError("holds no numbers", place=str(path)) from None
            value = bundle.network(torch.tensor([numbers])).item()
            top = [{"answer": name, "share": share} for name, share in (("a", 0.5), ("b", 0.3), ("c", 0.2))]
            records.append({"file": str(path), "value": value, "top": top})
        return records

    @hookimpl
    def vtk_report(self, run, result):
        return [Table("residuals", "Errors", ["name", "value"], [["mae", result.metrics["mae"]]])]


plugin = PredictingToy()
'''


@pytest.fixture
def site(toy_site: Site) -> Iterator[Site]:
    """The toy task, installed for this process."""
    with toy_site.active():
        yield toy_site


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty present folder with a toy recipe in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "toy.yaml").write_text(TOY)
    return tmp_path


@pytest.fixture
def vtk(site: Site, here: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """``vtk`` in this process."""

    def call(*args: object) -> Said:
        from toolkit.cli import main

        code = main([str(arg) for arg in args])
        out, err = capfd.readouterr()
        return Said(code, out, err)

    return call


@pytest.fixture
def start(toy_site: Site, here: Path) -> Callable[..., subprocess.Popen[str]]:
    """``vtk`` as a process of its own, just started."""

    def call(*args: object, **kwargs: object) -> subprocess.Popen[str]:
        path = os.pathsep.join([str(toy_site.folder), str(HELPERS)])
        env = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "error"}
        command = [sys.executable, "-m", "toolkit.cli", *map(str, args)]
        return subprocess.Popen(
            command, env=env, cwd=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kwargs
        )  # type: ignore[call-overload]

    return call


@pytest.fixture
def process(start: Callable[..., subprocess.Popen[str]]) -> Callable[..., Said]:
    """``vtk`` as a process of its own, waited for."""

    def call(*args: object) -> Said:
        child = start(*args)
        out, err = child.communicate(timeout=240)
        return Said(child.returncode, out, err)

    return call


@pytest.fixture(scope="session")
def trained(toy_site: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a finished toy run. Not to be changed."""
    from toolkit.cli import main

    folder = tmp_path_factory.mktemp("trained")
    recipe, directory = folder / "toy.yaml", folder / "run"
    recipe.write_text(TOY)
    with toy_site.active():
        assert main(["run", str(recipe), "--out", str(directory), "--quiet"]) == 0
    return directory
