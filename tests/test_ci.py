"""The scripts that test this project, and the README's lines that they run."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SHOWN = [
    line[2:]
    for block in re.findall(r"```console\n(.*?)```", README, re.S)
    for line in block.splitlines()
    if line.startswith("$ ")
]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CPU_BUILD = "pip install torch torchvision --index-url https://download.pytorch.org/whl/cpu"
"""As PyTorch's page "Get started" has it."""


def printed(*command: object, cwd: Path = ROOT) -> str:
    done = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_ci_runs_the_readmes_lines() -> None:
    demo, tests = printed("bash", ROOT / ".ci" / "run", "--print").splitlines()
    assert demo == SHOWN[0]
    assert demo.split(" && ")[2:] == ["pip install -e .", "vtk run recipes/catsdogs.yaml --demo"]
    assert tests in SHOWN
    assert tests.split(" && ")[2:] == ["pip install -e '.[dev]'", "pytest"]


def test_the_small_build_is_the_same_line_with_torch_before() -> None:
    made, entered, *rest = SHOWN[0].split(" && ")
    assert " && ".join([made, entered, CPU_BUILD, *rest]) in SHOWN


def test_nothing_is_installed_outside_an_environment() -> None:
    """Debian's and Homebrew's own Pythons refuse it (PEP 668)."""
    installing = [line for line in SHOWN if "pip install" in line]
    assert len(installing) == 3
    assert all(line.startswith("python3 -m venv .venv && . .venv/bin/activate && ") for line in installing)


class TestRun:
    """``.ci/run`` of a small project with commands that only say that they ran."""

    @pytest.fixture
    def project(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        folder = tmp_path / "project"
        shutil.copytree(ROOT / ".ci", folder / ".ci")
        begin = "python3 -m venv --without-pip .venv && . .venv/bin/activate && touch left"
        shown = [f"{begin} && echo demonstrated --demo", f"test ! -e left && {begin} && pytest", f"{begin} && pytest"]
        (folder / "README.md").write_text("".join(f"```console\n$ {line}\n```\n" for line in shown))
        tools = tmp_path / "tools"
        tools.mkdir()
        for tool in ("ruff", "mypy", "lint-imports", "pytest"):
            (tools / tool).write_text(f'#!/bin/sh\necho {tool} "$@"\ntest "$FAILS" != {tool}\n')
            (tools / tool).chmod(0o755)
        (tools / "python3").symlink_to(sys.executable)
        monkeypatch.setenv("PATH", str(tools), prepend=":")
        monkeypatch.setenv("FAILS", "")
        for words in ("init -q", "add .", "-c user.name=a -c user.email=a@b.example commit -qm All"):
            printed("git", *words.split(), cwd=folder)
        return folder

    def test_each_line_from_nothing_then_the_linters(self, project: Path) -> None:
        said = [line for line in printed(project / ".ci" / "run").splitlines() if not line.startswith("$ ")]
        assert [line.strip() for line in said] == [
            *("demonstrated --demo", "pytest", "ruff check .", "ruff format --check .", "mypy", "lint-imports"),
            "pytest -m formats and not slow",
        ]
        assert sorted(path.name for path in project.iterdir()) == [".ci", ".git", "README.md"]

    @pytest.mark.parametrize("tool", ["ruff", "mypy", "lint-imports", "pytest"])
    def test_fails_with_what_it_runs(self, project: Path, tool: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FAILS", tool)
        assert subprocess.run([project / ".ci" / "run"], capture_output=True).returncode != 0

    def test_fails_where_the_readme_has_no_such_line(self, project: Path) -> None:
        (project / "README.md").write_text("Install it.\n")
        done = subprocess.run([project / ".ci" / "run", "--print"], capture_output=True, text=True)
        assert done.returncode != 0
        assert "README.md has no command like" in done.stderr


class TestLowest:
    def test_each_requirement_is_pinned_where_its_bound_is(self) -> None:
        pins = {Requirement(line).name: line for line in printed(sys.executable, ROOT / ".ci/lowest_pins.py").split()}
        stated = [*PROJECT["dependencies"], *(line for of in PROJECT["optional-dependencies"].values() for line in of)]
        assert set(pins) >= {Requirement(line).name for line in stated}
        for requirement in map(Requirement, stated):
            (pin,) = Requirement(pins[requirement.name]).specifier
            assert str(requirement.specifier) == f">={pin.version}"

    @pytest.mark.parametrize("bound", ["", "!=2.0", "<3"])
    def test_a_requirement_without_a_bound_is_a_fault(self, bound: str, tmp_path: Path) -> None:
        shutil.copytree(ROOT / ".ci", tmp_path / ".ci")
        text = (ROOT / "pyproject.toml").read_text()
        (tmp_path / "pyproject.toml").write_text(re.sub(r'"numpy[^"]*"', f'"numpy{bound}"', text))
        done = subprocess.run([sys.executable, tmp_path / ".ci/lowest_pins.py"], capture_output=True, text=True)
        assert done.returncode != 0
        assert "names no lowest release" in done.stderr


def test_new_plugins_are_built_with_what_builds_the_toolkit() -> None:
    template = (ROOT / "toolkit/scaffold/templates/common/pyproject.toml.tmpl").read_text().split("[project]")[0]
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert tomllib.loads(template)["build-system"] == stated["build-system"]


def test_the_workflow_has_each_promised_python_and_the_lowest_releases() -> None:
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]
    promised = [text.split(" :: ")[-1] for text in PROJECT["classifiers"] if "Python :: 3." in text]
    assert jobs["readme"]["strategy"]["matrix"]["python"] == promised
    assert f">={promised[0]}" == PROJECT["requires-python"]
    for job, script in {"readme": ".ci/run", "lowest": ".ci/lowest"}.items():
        assert jobs[job]["steps"][-1]["run"] == script
        assert (ROOT / script).stat().st_mode & 0o111
