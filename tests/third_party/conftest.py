"""The distributions' own tests are for where they are installed; see test_distributions.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from installed import Environment, build_wheel, make_environment

HERE = Path(__file__).parent
PROJECTS = sorted(file.parent for file in HERE.glob("*/pyproject.toml"))

collect_ignore = [project.name for project in PROJECTS]


@pytest.fixture(scope="session")
def projects() -> list[Path]:
    """The folder of each distribution."""
    return PROJECTS


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Wheels of all of them, built and installed."""
    wheels = tmp_path_factory.mktemp("wheels")
    made = make_environment(tmp_path_factory.mktemp("environment") / "venv")
    made.install([build_wheel(project, wheels) for project in PROJECTS])
    return made
