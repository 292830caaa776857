"""Ranges of versions in a distribution's requirements, e.g. ``>=0.1,<0.2``.

``packaging`` decides, but takes long to import beside all else that ``vtk plugins`` does. So the ranges that nearly all
plugins have, bounds that are plain numbers, are compared here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from operator import ge, gt, le, lt

_ORDERS: dict[str, Callable[[tuple[int, ...], tuple[int, ...]], bool]] = {">=": ge, ">": gt, "<=": le, "<": lt}
_PLAIN = re.compile(r"(>=|>|<=|<)(\d+(?:\.\d+)*)")
_RELEASE = re.compile(r"\d+(?:\.\d+)*")


def required_range(requirement: str, name_ends: int) -> str:
    """The range in a requirement whose name ends at ``name_ends``; nothing where only an extra asks for it.

    Raises:
        packaging.requirements.InvalidRequirement: not legible.
    """
    text = requirement[name_ends:].replace(" ", "").removeprefix("(").removesuffix(")")
    if not text or all(_PLAIN.fullmatch(part) for part in text.split(",")):
        return text
    from packaging.requirements import Requirement

    wanted = Requirement(requirement)
    applies = wanted.marker is None or wanted.marker.evaluate({"extra": ""})
    return str(wanted.specifier) if applies else ""


def fits(version: str, needs: str) -> bool:
    """Whether a version is in a range; a pre-release of one that would fit fits, and so does what is illegible."""
    plain = [_PLAIN.fullmatch(part) for part in needs.split(",")]
    if _RELEASE.fullmatch(version) and all(plain):
        return all(_ORDERS[part[1]](_numbers(version), _numbers(part[2])) for part in plain if part)
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import InvalidVersion

    try:
        return SpecifierSet(needs).contains(version, prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return True


def _numbers(release: str) -> tuple[int, ...]:
    """Its numbers without the zeros at the end, for 1.0 is 1."""
    numbers = [int(part) for part in release.split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
