"""The building blocks for plugins, public beside ``toolkit`` itself, and that the built-in tasks need no more."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import toolkit

ROOT = Path(__file__).parents[1]
BLOCKS = ("data", "labelled_images", "models", "optim", "recipe", "system")


@pytest.mark.parametrize("block", BLOCKS)
def test_every_name_is_there_and_listed_alike_three_times(block: str) -> None:
    package = importlib.import_module(f"toolkit.{block}")
    tree = ast.parse(Path(str(package.__file__)).read_text())
    typed = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module != "toolkit.lazy" and node.module != "__future__"
        for alias in node.names
        if alias.name != "TYPE_CHECKING"
    }
    assert sorted(typed) == sorted(package.__all__) == dir(package)
    for name in package.__all__:
        assert getattr(package, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"module 'toolkit\.data' has no attribute 'Nothing'"):
        importlib.import_module("toolkit.data").Nothing  # noqa: B018


def test_importing_them_imports_no_torch() -> None:
    script = f"import sys, {', '.join(f'toolkit.{block}' for block in BLOCKS)}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def _imported(file: Path) -> list[tuple[str, str]]:
    return [
        (node.module, alias.name)
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "toolkit"
        for alias in node.names
    ]


def test_the_guide_lists_each_of_them_and_no_other() -> None:
    guide = (ROOT / "plugins" / "README.md").read_text().split("## Building blocks")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.+?) \| ", guide, re.MULTILINE)
    listed = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert listed == {name for block in BLOCKS for name in importlib.import_module(f"toolkit.{block}").__all__}


@pytest.mark.parametrize("task", sorted(p.name for p in (ROOT / "plugins").iterdir() if (p / "__init__.py").is_file()))
def test_the_built_in_tasks_use_public_names_only(task: str) -> None:
    public = {f"toolkit.{block}": set(importlib.import_module(f"toolkit.{block}").__all__) for block in BLOCKS}
    public["toolkit"] = {*toolkit.__all__, *BLOCKS}
    public["toolkit.bounds"] = set(importlib.import_module("toolkit.bounds").__all__)
    files = (ROOT / "plugins" / task).rglob("*.py")
    private = [(file.name, *one) for file in files for one in _imported(file) if one[1] not in public.get(one[0], ())]
    assert private == []
