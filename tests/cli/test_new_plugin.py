"""``vtk new-plugin``: what it writes is complete, clean, and passes its own tests where it is installed."""

from __future__ import annotations

import ast
import builtins
import importlib
import json
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from installed import Environment, build_wheel, make_environment

import toolkit
from toolkit import VtkError
from toolkit.cli import main
from toolkit.scaffold.scaffold import SUMMARIES, create, read_name, supported_range

LONGEST = "twenty-letters-at-it"
KINDS = ("task", "extension")


def generate(folder: Path, name: str, kind: str, license_id: str = "MIT") -> Path:
    project = folder / f"vtk-{name}"
    create(read_name(name), project, kind=kind, license_id=license_id)
    return project


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A new task and a new extension."""
    folder = tmp_path_factory.mktemp("new")
    return [generate(folder, "spots", "task"), generate(folder, "epoch-table", "extension", "Apache-2.0")]


@pytest.fixture(scope="module")
def environment(projects: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Both, built as wheels and installed."""
    folder = tmp_path_factory.mktemp("installed")
    made = make_environment(folder / "venv")
    made.install([build_wheel(project, folder) for project in projects])
    return made


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["a", LONGEST])
def test_what_is_written_is_clean_whatever_the_name(name: str, kind: str, tmp_path: Path) -> None:
    project = generate(tmp_path, name, kind)
    left = [
        path for path in project.rglob("*") if path.is_file() and "newborn" in (str(path) + path.read_text()).lower()
    ]
    assert left == []
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "."], cwd=project, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_a_class_takes_no_name_that_means_something_else(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of the API, some of Python, and what the templates themselves import or define, in plugins of that name."""
    theirs = ["path", "callable", "sequence", "any", "none", "exception", "shown", "nn", "newborn"]
    for name in dict.fromkeys([*(word.lower() for word in toolkit.__all__), *theirs]):
        if len(name) > 20 or "_" in name:
            continue
        names = read_name(name)
        create(names, tmp_path / name, kind=kind, license_id="MIT")
        for path in (tmp_path / name).rglob("*.py"):
            assert _bound_twice(ast.parse(path.read_text())) == [], path
        monkeypatch.syspath_prepend(tmp_path / name)
        plugin = importlib.import_module(f"{names.package}.plugin").plugin
        assert type(plugin).__name__ == names.cls
        assert plugin.vtk_config().__module__.startswith(names.package)
        for module in [module for module in sys.modules if module.partition(".")[0] == names.package]:
            monkeypatch.delitem(sys.modules, module)


def _bound_twice(module: ast.Module) -> list[str]:
    """Names that a module imports or defines more than once at its top, or that hide Python's own."""
    bound: list[str] = dir(builtins)
    for node in module.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            bound += [(alias.asname or alias.name).split(".")[0] for alias in node.names]
        elif isinstance(node, ast.ClassDef | ast.FunctionDef):
            bound.append(node.name)
    return [name for name, count in Counter(bound).items() if count > 1]


@pytest.mark.parametrize("license_id", ["Apache-2.0", "MIT", "BSD-3-Clause"])
def test_the_project_states_entry_points_range_and_licence(license_id: str, tmp_path: Path) -> None:
    project = generate(tmp_path, "line-art", "task", license_id)
    stated = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    assert stated["name"] == "vtk-line-art"
    assert stated["license"] == license_id
    assert stated["dependencies"][0] == "vision-toolkit" + supported_range()
    assert stated["entry-points"] == {
        "vtk.tasks": {"line-art": "vtk_line_art.plugin:plugin"},
        "vtk.recipes": {"line-art": "vtk_line_art.recipes"},
    }
    assert stated["description"] == SUMMARIES["task"]
    licence = (project / "LICENSE").read_text()
    assert ("Apache License" in licence) == (license_id == "Apache-2.0")
    assert (project / "vtk_line_art" / "recipes" / "line-art.yaml").is_file()
    assert (project / ".github" / "workflows" / "ci.yml").is_file()


@pytest.mark.parametrize(
    "name", ["", "2d", "-a", "a/b", "../a", "a b", "vtk-", "straße", "x" * 21, "classification", "ema", "null", "True"]
)
def test_a_name_that_cannot_be(name: str) -> None:
    with pytest.raises(VtkError) as caught:
        read_name(name)
    assert caught.value.code == 64
    assert caught.value.hint


def test_names_follow_from_one() -> None:
    names = read_name("vtk-Line_Art")
    assert (names.plugin, names.distribution, names.package, names.cls) == (
        "line-art",
        "vtk-line-art",
        "vtk_line_art",
        "LineArt",
    )
    assert read_name("class").package == "vtk_class"
    assert read_name("none").cls == "NonePlugin"


def test_the_command_says_what_it_wrote_and_what_comes_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new-plugin", "spots"]) == 0
    said = capsys.readouterr().out
    assert "  vtk_spots/plugin.py\n" in said
    assert "cd vtk-spots\n  pip install -e '.[dev]'\n  pytest\n  vtk run spots" in said
    before = (tmp_path / "vtk-spots" / "README.md").stat()
    assert main(["new-plugin", "spots", "--kind", "extension"]) == 73
    assert "error: vtk-spots: is there already" in capsys.readouterr().err
    assert (tmp_path / "vtk-spots" / "README.md").stat() == before


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writing = Path.write_text

    def full(path: Path, *args: Any, **kwargs: Any) -> int:
        if path.name == "plugin.py":
            raise OSError(28, "No space left on device")
        return writing(path, *args, **kwargs)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(VtkError, match="space"):
        create(read_name("spots"), tmp_path / "spots", kind="task", license_id="MIT")
    assert list(tmp_path.iterdir()) == []


def test_their_own_tests_pass_where_they_are_installed(environment: Environment, projects: list[Path]) -> None:
    words = ["-q", "-p", "no:cacheprovider", "--import-mode=importlib", "-c", projects[0] / "pyproject.toml"]
    done = environment.run("pytest", *words, *(project / "tests" for project in projects), cwd=projects[0].parent)
    assert done.returncode == 0, done.stdout[-5000:]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_checkout_is_installed_and_tested_as_its_readme_says(kind: str, tmp_path: Path) -> None:
    """``vtk new-plugin``, ``pip install -e .``, ``pytest``, ``vtk run``: each in an environment of its own."""
    made = make_environment(tmp_path / "venv")
    done = made.run("toolkit.cli", "new-plugin", "line-art", "--kind", kind, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    project = tmp_path / "vtk-line-art"
    made.install_editable(project)
    done = made.run("pytest", "-q", "-p", "no:cacheprovider", cwd=project)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    (listed,) = [
        one
        for one in json.loads(made.run("toolkit.cli", "plugins", "--json", cwd=tmp_path).stdout)
        if one["name"] == "line-art"
    ]
    assert (listed["kind"], listed["distribution"], listed["status"]) == (kind, "vtk-line-art", "unchecked")
    # Editable: a change in the checkout is there without installing again.
    recipe = project / "vtk_line_art" / "recipes" / "line-art.yaml"
    recipe.write_text(f"# Changed by hand.\n{recipe.read_text()}")
    shown = json.loads(made.run("toolkit.cli", "recipes", "ls", "--json", cwd=tmp_path).stdout)
    assert "Changed by hand." in [one["about"] for one in shown if one["name"] == "line-art"]


def test_they_are_listed_and_so_are_their_recipes(environment: Environment, tmp_path: Path) -> None:
    listed = json.loads(environment.run("toolkit.cli", "plugins", "--json", cwd=tmp_path).stdout)
    assert {("spots", "task"), ("epoch-table", "extension")} <= {(p["name"], p["kind"]) for p in listed}
    recipes = json.loads(environment.run("toolkit.cli", "recipes", "ls", "--json", cwd=tmp_path).stdout)
    assert {"spots", "epoch-table"} <= {recipe["name"] for recipe in recipes}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["spots", "epoch-table"])
def test_their_recipes_run(name: str, environment: Environment, tmp_path: Path) -> None:
    done = environment.run("toolkit.cli", "run", name, "--out", "run", "--set", "train.epochs=2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "report" / "index.html").is_file()
    assert (tmp_path / "run" / "epochs.csv").is_file() == (name == "epoch-table")


@pytest.mark.slow
def test_their_types_are_strict(projects: list[Path]) -> None:
    for project in projects:
        done = subprocess.run([sys.executable, "-m", "mypy"], cwd=project, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
