"""Prints what pyproject.toml requires, each at the lowest release that it admits: ``numpy>=2.0`` as ``numpy==2.0``."""

from __future__ import annotations

import tomllib
from pathlib import Path

from packaging.requirements import Requirement


def lowest(requirement: Requirement) -> str:
    """The pin.

    Raises:
        ValueError: nothing says what the lowest release is.
    """
    found = [bound.version for bound in requirement.specifier if bound.operator == ">="]
    if len(found) != 1:
        raise ValueError(f"{requirement} names no lowest release")
    return f"{requirement.name}=={found[0]}"


def main() -> None:
    stated = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text(encoding="utf-8"))
    project = stated["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    lines = [*stated["build-system"]["requires"], *project["dependencies"], *extras]
    print(*sorted({lowest(Requirement(line)) for line in lines}), sep="\n")


if __name__ == "__main__":
    main()
