"""Whatever users get wrong, they are told what, where, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from toolkit.errors import VtkError
from toolkit.testing.findings import ConformanceError, finding
from toolkit.testing.subject import Subject
from toolkit.testing.training import silent
from toolkit.testing.values import existing_paths, sections_in, setting

UNKNOWN_KEY = "no_such_key"


@finding
def check_errors(subject: Subject) -> None:
    """An unknown key in any section is refused with its place in the file; data that are missing, with a VtkError."""
    _check_unknown_keys(subject)
    if subject.kind == "task":
        for wrong in [*subject.missing, *_broken_paths(subject)]:
            _check_missing(subject, wrong)


def _check_unknown_keys(subject: Subject) -> None:
    from toolkit.recipe.resolved import dump_yaml

    resolved = subject.resolve()
    file = subject.folder / "misspelt.yaml"
    names = list(resolved.extensions) if subject.kind == "extension" else []
    for path in [*sections_in(resolved.recipe), *(("extensions", name) for name in names)]:
        tree = resolved.to_dict()
        section: Any = tree
        try:
            for part in path:
                section = section[part]
        except KeyError:
            continue  # derived from other keys, and in no file
        section[UNKNOWN_KEY] = 1
        file.write_text(dump_yaml(tree), encoding="utf-8")
        _require_refusal(subject, file, ".".join(map(str, path)))


def _require_refusal(subject: Subject, file: Path, section: str) -> None:
    from toolkit.recipe.load import load_recipe

    where = f"the section {section!r}" if section else "the top level"
    remedy = "derive every section from toolkit.Section, and let no validator drop keys"
    try:
        with subject.alone() as catalogue:
            load_recipe(file, catalogue=catalogue)
    except VtkError as error:
        if not re.search(rf"{re.escape(file.name)}:\d+:\d+: .*{UNKNOWN_KEY}", str(error)):
            message = f"an unknown key in {where} is refused without file, line and column: {error}"
            raise ConformanceError("errors", message, remedy) from error
        return
    except Exception as error:
        message = f"an unknown key in {where} raises {type(error).__name__}: {error}"
        raise ConformanceError("errors", message, "raise ValueError in validators, nothing else") from error
    raise ConformanceError("errors", f"an unknown key in {where} is ignored in silence", remedy)


def _broken_paths(subject: Subject) -> Iterator[str]:
    """Settings that replace each existing file or folder of the recipe by one that does not exist."""
    for key, path in existing_paths(subject.resolve().recipe):
        yield setting(key, path.with_name(f"{path.name}-does-not-exist"))


def _check_missing(subject: Subject, wrong: str) -> None:
    from toolkit.run.setup import build_data, build_model, new_run

    remedy = "look whether it is there, and raise VtkError(message, place=..., hint=..., code=ExitCode.NO_INPUT)"
    try:
        resolved = subject.resolve(wrong)
        with subject.alone():
            run = new_run(resolved, console=silent(), directory=None)
            build_data(run)
            build_model(run)
    except VtkError as error:
        if not (error.place or error.hint):
            message = f"with {wrong} the error says neither where nor what to do: {error.message}"
            raise ConformanceError("errors", message, remedy) from error
        return
    except Exception as error:
        message = f"with {wrong} users see a traceback of {type(error).__name__}: {error}"
        raise ConformanceError("errors", message, remedy) from error
    raise ConformanceError("errors", f"with {wrong} there is no error, though those data do not exist", remedy)
