"""Who may import whom: the core knows no task, and no task knows another."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TASKS = sorted(p.name for p in (ROOT / "plugins").iterdir() if (p / "__init__.py").is_file())


def imports(package: Path) -> Iterator[tuple[Path, str]]:
    """Every module that a package's files import, with the file."""
    for file in package.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            yield from ((file, name) for name in names)


def test_there_are_tasks() -> None:
    assert {"vtk_classification", "vtk_multilabel", "vtk_style"} <= set(TASKS)


def test_the_core_imports_no_task() -> None:
    wrong = [(file.name, name) for file, name in imports(ROOT / "toolkit") if name.split(".")[0] in TASKS]
    assert wrong == []


def named(package: Path, names: set[str]) -> list[tuple[str, str]]:
    """Texts in a package's code that are one of the names or a module in it, by which it could be imported unseen."""
    return [
        (file.name, node.value)
        for file in package.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.split(".")[0] in names
    ]


def test_the_core_names_no_task_in_its_code() -> None:
    assert named(ROOT / "toolkit", {"classification", "multilabel", "style", *TASKS}) == []


@pytest.mark.parametrize("task", TASKS)
def test_a_task_imports_no_other_task(task: str) -> None:
    others = set(TASKS) - {task}
    wrong = [(f.name, name) for f, name in imports(ROOT / "plugins" / task) if name.split(".")[0] in others]
    assert wrong == []
    assert named(ROOT / "plugins" / task, others) == []


@pytest.mark.parametrize("arguments", [["--help"], ["plugins"], ["plugins", "--json"], ["run", "--help"]])
def test_listing_imports_neither_torch_nor_a_plugin(arguments: list[str]) -> None:
    script = (
        "import sys; from toolkit.cli import main\n"
        f"main({arguments!r})\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert "toolkit" in loaded
    assert not loaded & {"torch", "torchvision", "timm", "albumentations", "pydantic", *TASKS}


def test_importing_the_api_imports_no_torch() -> None:
    script = "import sys, toolkit; toolkit.hookimpl, toolkit.Recipe, toolkit.Data; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
