"""What the guides for people who work on the toolkit name is there, and the commands in them work."""

from __future__ import annotations

import ast
import importlib
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

import toolkit

ROOT = Path(__file__).parents[1]
GUIDES = ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "tests/README.md", "toolkit/README.md")
TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in GUIDES}
CONTRIBUTING = TEXTS["CONTRIBUTING.md"]
STATED = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
ROOMS = sorted(file.parent for file in (ROOT / "toolkit").glob("*/__init__.py"))

ELSEWHERE = {
    "pytest": "this suite",
    "pytest -m slow -n 0": "this suite",
    "VTK_CPU_FEATURES=avx512_bf16 pytest -m formats": "this suite",
    "ruff check .": ".ci/run",
    "ruff format .": ".ci/run",
    "mypy": ".ci/run",
    "lint-imports": ".ci/run",
    "python -m toolkit.recipe": "tests/recipe/test_generated.py",
    ".ci/run": "tests/test_ci.py",
    ".ci/lowest": "tests/test_ci.py",
}
"""Commands of the guide that something else runs."""


def in_code(text: str) -> list[str]:
    """What stands between single backticks."""
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def paths(name: str) -> Iterator[str]:
    """Paths of the repository that a guide names, without what stands behind a colon."""
    for code in in_code(TEXTS[name]):
        path = code.partition(":")[0]
        if re.fullmatch(r"(toolkit|plugins|tests|recipes|\.ci)(/[\w.-]+)*/?", path):
            yield path


@pytest.mark.parametrize("name", GUIDES)
def test_each_path_that_is_named_is_there(name: str) -> None:
    named = list(paths(name))
    assert named or name == "CHANGELOG.md"
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("name", GUIDES)
def test_each_link_leads_somewhere(name: str) -> None:
    for link in re.findall(r"\]\((?!http)([^)\s]+)\)", TEXTS[name]):
        path, _, anchor = link.partition("#")
        target = (ROOT / name).parent / path
        assert target.exists(), link
        headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE) if anchor else []
        assert not anchor or anchor in [re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings], link


@cache
def defined(path: str) -> frozenset[str]:
    """Every name that a file defines at its top, and those in its classes as ``Class.name``."""
    found = set()
    for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
        found |= set(_names(node))
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{name}" for inner in node.body for name in _names(inner)}
    return frozenset(found)


def _names(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    for target in node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]:
        if isinstance(target, ast.Name):
            yield target.id


def test_each_function_on_the_way_is_in_its_file() -> None:
    """The map has them as `` `path.py: function, function` ``."""
    pairs = [code.partition(": ")[::2] for code in in_code(TEXTS["toolkit/README.md"]) if ".py: " in code]
    wrong = [(path, name) for path, names in pairs for name in names.split(", ") if name not in defined(path)]
    assert len(pairs) > 30
    assert wrong == []


def source_of(path: Path) -> str:
    """The text of a file, or of the files in a folder."""
    files = [path] if path.is_file() else sorted(path.glob("*.py"))
    return "".join(file.read_text(encoding="utf-8") for file in files)


def test_each_name_in_a_row_is_in_one_of_its_files() -> None:
    table = CONTRIBUTING.split("## Where things go")[1].split("\n## ")[0]
    rows = [in_code(line) for line in table.splitlines() if line.startswith("| ")]
    assert len(rows) > 20
    for row in rows:
        source = "".join(source_of(ROOT / path) for path in row if (ROOT / path).exists())
        names = [name for name in row if re.fullmatch(r"_?[A-Za-z]\w+", name) and not (ROOT / name).exists()]
        assert [name for name in names if not re.search(rf"\b{name}\b", source)] == [], row


def test_the_layers_are_those_of_the_contract() -> None:
    (shown,) = re.findall(r"```text\n(.*?)```", CONTRIBUTING.split("## Layers")[1], re.DOTALL)
    tasks = {task for task in STATED["tool"]["importlinter"]["root_packages"] if task != "toolkit"}
    drawn = [{part.strip() for part in re.split(r"[|,]", line)} for line in shown.splitlines()]
    (contract,) = [c for c in STATED["tool"]["importlinter"]["contracts"] if c["type"] == "layers"]
    meant = [{part.strip().removeprefix("toolkit.") for part in re.split(r"[|:]", line)} for line in contract["layers"]]
    assert drawn == [(layer - tasks) | {"plugins/*"} if layer & tasks else layer for layer in meant]


def test_the_map_has_each_room() -> None:
    drawing = TEXTS["toolkit/README.md"].split("```")[1]
    assert {room.name for room in ROOMS if not re.search(rf"\b{room.name}\b", drawing)} == {"scaffold"}


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_each_room_says_what_it_holds_and_what_of_it_may_be_used(room: Path) -> None:
    text = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8")))
    assert text is not None
    assert re.search(r"[.:]$", text.splitlines()[0])
    assert re.search("public|private|provisional", text, re.IGNORECASE)


def commands() -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", CONTRIBUTING, re.DOTALL)
    lines = [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    return lines + re.findall(r"^\| [^|]+ \| `([^`]+)` \|$", CONTRIBUTING, re.MULTILINE)


def test_what_runs_each_other_command_runs_it() -> None:
    ran = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert set(ELSEWHERE) <= set(commands())
    for command, where in ELSEWHERE.items():
        assert where == "this suite" or (ROOT / where).is_file()
        assert where != ".ci/run" or command.replace("format .", "format --check .") in ran


INSTALLED = [line for line in commands() if "pip install" in line]


def test_the_set_up_is_the_readmes() -> None:
    assert INSTALLED[0] + " && pytest" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert INSTALLED[1:] == ["pip install pre-commit && pre-commit install"]


@pytest.mark.parametrize("command", [c for c in commands() if c not in {*ELSEWHERE, *INSTALLED}])
def test_each_other_command_works(command: str, tmp_path: Path) -> None:
    words, _, file = command.partition(" > ")
    program, *arguments = shlex.split(words)
    start = [sys.executable, "-m", "pytest", "--collect-only", "-q"] if program == "pytest" else [sys.executable]
    path = os.pathsep.join(filter(None, [str(ROOT), str(ROOT / "plugins"), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [*start, *arguments], cwd=ROOT, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": path}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    if file:
        assert done.stdout.startswith("digraph imports {")
        assert " -> " in done.stdout


def test_the_hooks_before_a_commit_are_the_linters_of_ci() -> None:
    stated = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    entries = {hook["entry"].replace(" --force-exclude", "") for repo in stated["repos"] for hook in repo["hooks"]}
    (line,) = re.findall(r".*&& lint-imports.*", (ROOT / ".ci" / "run").read_text(encoding="utf-8"))
    linters = {part.strip(" '\\").removesuffix(" .") for part in line.split("&&")[1:]}
    assert entries == linters


def test_the_three_tables_of_public_names_agree() -> None:
    """What a type checker sees, where a name is looked up, and what is listed."""
    tree = ast.parse((ROOT / "toolkit" / "__init__.py").read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    checked = {name.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for name in node.names}
    assert checked == toolkit._HOMES
    assert sorted(checked) == sorted(toolkit.__all__) == dir(toolkit)
    for name, home in checked.items():
        assert getattr(importlib.import_module(str(home)), name) is getattr(toolkit, name)


def test_nothing_else_is_looked_up() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Loader'"):
        toolkit.Loader  # noqa: B018
