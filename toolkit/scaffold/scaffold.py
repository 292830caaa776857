"""Writes a new plugin's distribution from the templates that come with the toolkit.

A template is the file itself, of a plugin called ``newborn``, with that word in place of the name.
"""

from __future__ import annotations

import builtins
import keyword
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from toolkit.errors import ExitCode, VtkError
from toolkit.hooks.entry import CORE, normalized

TEMPLATES = Path(__file__).parent / "templates"
_SUFFIX = ".tmpl"
_PREFIX = "vtk-"
_CLASS = "Newborn"
_LONGEST = 20
_YAML_WORDS = {"null", "true", "false"}  # a recipe that says `task: null` names no task
_NAME = re.compile(r"[a-zA-Z](?:[a-zA-Z0-9._-]*[a-zA-Z0-9])?")

SUMMARIES = {
    "task": "A task for vision-toolkit: where is the disc in a picture?",
    "extension": "An extension for vision-toolkit: the metrics of every epoch as a CSV file",
}
_DEPENDENCIES = {
    "task": ("numpy", "pillow", "pydantic", "torch", "torchmetrics"),
    "extension": ("pydantic",),
}


@dataclass(frozen=True)
class Names:
    """What a plugin is called: in recipes, on the package index, in Python, and its class."""

    plugin: str
    distribution: str
    package: str
    cls: str


def read_name(text: str) -> Names:
    """The names that follow from one, which may have the prefix ``vtk-``.

    Raises:
        VtkError: no distribution or no Python package can be called that, or a built-in plugin is.
    """
    plugin = normalized(text.strip()).removeprefix(_PREFIX)
    bad = plugin in _YAML_WORDS or len(plugin) > _LONGEST
    if bad or not _NAME.fullmatch(text.strip()) or not _NAME.fullmatch(plugin):
        raise VtkError(
            f"a plugin cannot be called {text!r}",
            hint=f"take a letter, then letters, digits and hyphens, {_LONGEST} at most, e.g. shapes or line-art",
            code=ExitCode.USAGE,
        )
    package = normalized(_PREFIX + plugin).replace("-", "_")
    cls = "".join(part.capitalize() for part in plugin.split("-"))
    if cls in _taken_words():
        cls += "Plugin"
    _refuse_taken(plugin)
    return Names(plugin, _PREFIX + plugin, package, cls)


@cache
def _taken_words() -> frozenset[str]:
    """What a class cannot be called: Python's own words, and any that stands in a template, where it may mean
    something else.
    """
    import toolkit

    sources = (path.read_text(encoding="utf-8") for path in TEMPLATES.rglob(f"*.py{_SUFFIX}"))
    words = {word for source in sources for word in re.findall(r"\w+", source)}
    return frozenset({*words, *toolkit.__all__, *dir(builtins), *keyword.kwlist} - {_CLASS})


def _refuse_taken(plugin: str) -> None:
    from toolkit.hooks.catalogue import Catalogue

    taken = next((p for p in Catalogue().plugins if p.name == plugin), None)
    if taken is not None:
        raise VtkError(
            f"there is a {taken.kind} called {plugin!r} already, from {taken.owner}",
            hint="take another name: a plain name in a recipe is to mean one plugin",
            code=ExitCode.USAGE,
        )


def create(names: Names, folder: Path, *, kind: str, license_id: str) -> list[Path]:
    """Write the distribution into ``folder``, whole or not at all; returns its files, relative to the folder.

    Raises:
        VtkError: the folder exists or cannot be written.
    """
    from toolkit.system.files import removed_on_leaving, write_error

    if folder.exists() or folder.is_symlink():
        raise VtkError(
            "is there already",
            place=str(folder),
            hint="Give another folder with --out, or remove it.",
            code=ExitCode.CANNOT_CREATE,
        )
    contents = dict(_contents(names, kind, license_id))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".tmp", dir=folder.parent))
    except OSError as error:
        raise write_error(folder, error) from error
    try:
        with removed_on_leaving(temporary):
            for path, text in contents.items():
                (temporary / path).parent.mkdir(parents=True, exist_ok=True)
                (temporary / path).write_text(text, encoding="utf-8")
            # mkdtemp makes a folder for one user alone.
            temporary.chmod(0o777 & ~_umask())
            temporary.rename(folder)
    except OSError as error:
        raise write_error(folder, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return sorted(contents)


def _contents(names: Names, kind: str, license_id: str) -> Iterator[tuple[Path, str]]:
    """Path and text of every file."""
    words = {
        "vtk-newborn": names.distribution,
        "vtk_newborn": names.package,
        _CLASS: names.cls,
        "test_newborn": f"test_{names.package.removeprefix('vtk_')}",
        "newborn": names.plugin,
        "@SUMMARY@": SUMMARIES[kind],
        "@LICENSE@": license_id,
        "@KIND@": kind,
        "@YEAR@": time.strftime("%Y"),
        "@DEPENDENCIES@": _dependencies(kind),
    }
    pattern = re.compile("|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)))

    def filled(text: str) -> str:
        return pattern.sub(lambda match: words[match[0]], text)

    for root in (TEMPLATES / "common", TEMPLATES / kind):
        for source in sorted(root.rglob(f"*{_SUFFIX}")):
            path = filled(str(source.relative_to(root)).removesuffix(_SUFFIX))
            yield Path(path), filled(source.read_text(encoding="utf-8"))
    yield Path("LICENSE"), filled((TEMPLATES / "licenses" / f"{license_id}{_SUFFIX}").read_text(encoding="utf-8"))


def _dependencies(kind: str) -> str:
    """The distribution's requirements, as a TOML list."""
    wanted = [f"{CORE}{supported_range()}", *_DEPENDENCIES[kind]]
    return "[{}]".format(", ".join(f'"{name}"' for name in wanted))


def supported_range() -> str:
    """The versions that keep what this one promises: the same major version, before 1.0 the same minor one."""
    from importlib.metadata import version

    major, minor = (int(part) for part in version(CORE).split(".")[:2])
    return f">={major}.{minor},<{major + 1}" if major else f">=0.{minor},<0.{minor + 1}"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
