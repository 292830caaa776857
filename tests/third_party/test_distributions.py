"""Distributions of other people, built as wheels, installed beside vision-toolkit, and used."""

from __future__ import annotations

import ast
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from installed import Environment

import toolkit

SMALL = {
    "segmentation": [
        "data.source={name: drawn, train: 32, val: 8, test: 8}",
        "data.size=32",
        "model={width: 4}",
    ],
    "detection": [
        "data.source={name: drawn, train: 32, val: 8, test: 8}",
        "data.size=64",
        "model={width: 8, channels: 32}",
    ],
    "journal-digits": [],
    "simsiam": ["data.source={name: drawn, train: 64, val: 8}", "train.batch_size=16"],
}
"""Each recipe, and what makes it a matter of seconds."""


def test_they_use_the_public_api_alone(projects: list[Path]) -> None:
    assert len(projects) == 4
    wrong = [(file.name, name) for project in projects for file, name in _taken_from_the_toolkit(project)]
    assert wrong == []


def _taken_from_the_toolkit(project: Path) -> Iterator[tuple[Path, str]]:
    """Whatever a project imports of toolkit that plugins/README.md does not name."""
    packages = [file.parent for file in project.glob("*/__init__.py")]
    assert packages, project
    for file in (file for package in packages for file in package.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                yield from ((file, alias.name) for alias in node.names if alias.name.split(".")[0] == "toolkit")
            elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "toolkit":
                names = [f"{node.module}.{alias.name}" for alias in node.names]
                yield from ((file, name) for name in names if name not in {f"toolkit.{n}" for n in toolkit.__all__})


def test_each_is_listed_with_its_package(environment: Environment, projects: list[Path], tmp_path: Path) -> None:
    done = environment.run("toolkit.cli", "plugins", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    listed = {(plugin["kind"], plugin["name"], plugin["distribution"]) for plugin in json.loads(done.stdout)}
    for project in projects:
        stated = tomllib.loads((project / "pyproject.toml").read_text())["project"]
        for kind in ("task", "extension"):
            for name in stated["entry-points"].get(f"vtk.{kind}s", {}):
                assert (kind, name, stated["name"]) in listed


@pytest.mark.parametrize("recipe", SMALL)
def test_its_recipe_runs(recipe: str, environment: Environment, tmp_path: Path) -> None:
    sets = [word for value in ("train.epochs=1", "loader.workers=0", *SMALL[recipe]) for word in ("--set", value)]
    done = environment.run("toolkit.cli", "run", recipe, "--out", "run", *sets, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "run" / "status.json").read_text())["status"] == "finished"
    assert (tmp_path / "run" / "report" / "index.html").is_file()


def own_tests(environment: Environment, projects: list[Path], tmp_path: Path, marker: str) -> None:
    """The distributions' own tests, where their wheels are installed; in one process, for torch is slow to import."""
    words = ["-q", "-p", "no:cacheprovider", "-c", projects[0] / "pyproject.toml", "-m", marker]
    done = environment.run("pytest", *words, *(project / "tests" for project in projects), cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-5000:]
    assert " passed" in done.stdout


def test_their_own_tests_pass(environment: Environment, projects: list[Path], tmp_path: Path) -> None:
    own_tests(environment, projects, tmp_path, "not slow")


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", ["detection", "segmentation", "simsiam"])
def test_it_learns_what_it_promises(name: str, environment: Environment, projects: list[Path], tmp_path: Path) -> None:
    own_tests(environment, [one for one in projects if one.name == f"vtk-{name}"], tmp_path, "slow")
