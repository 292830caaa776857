"""The whole suite: what a plugin promises its users, checked one promise after another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolkit.hooks.entry import Plugin
from toolkit.system.files import scratch_directory
from toolkit.testing import numbers
from toolkit.testing.checks.bundle import check_bundle
from toolkit.testing.checks.determinism import check_determinism
from toolkit.testing.checks.errors import check_errors
from toolkit.testing.checks.hooks import check_hooks
from toolkit.testing.checks.imports import check_imports
from toolkit.testing.checks.plan import check_plan
from toolkit.testing.checks.predict import check_predict
from toolkit.testing.checks.report import check_report
from toolkit.testing.checks.resume import check_resume
from toolkit.testing.checks.schema import check_schema
from toolkit.testing.findings import ConformanceError, NotApplicable
from toolkit.testing.isolation import entry_of
from toolkit.testing.subject import FilesOf, Subject

Check = Callable[[Subject], None]

TASK_CHECKS: dict[str, Check] = {
    "hooks": check_hooks,
    "schema": check_schema,
    "errors": check_errors,
    "plan": check_plan,
    "determinism": check_determinism,
    "resume": check_resume,
    "bundle": check_bundle,
    "report": check_report,
    "predict": check_predict,
    "imports": check_imports,
}
EXTENSION_CHECKS: dict[str, Check] = {
    name: TASK_CHECKS[name]
    for name in ("hooks", "schema", "errors", "determinism", "resume", "bundle", "report", "imports")
}
# Without these, nothing else can be said of a plugin.
_FIRST = ("hooks", "schema")
# Good advice, and no promise to users.
_ADVICE = ("imports",)


@dataclass
class Report:
    """What the checks said.

    Attributes:
        passed: the checks that passed.
        left_out: checks that say nothing of this plugin, with the reason.
        advice: what would be better otherwise, though nothing is broken.
    """

    passed: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    advice: list[str] = field(default_factory=list)


def check_task(
    plugin: object | str,
    recipe: str | Path | Mapping[str, Any],
    *,
    sets: Sequence[str] = (),
    demo: bool = False,
    beside: Sequence[Plugin] = (),
    files: FilesOf | None = None,
    missing: Sequence[str] = (),
    without: Sequence[str] = (),
    strict: bool = False,
) -> Report:
    """Every check of a task. The arguments are those of :class:`Subject`.

    Args:
        without: checks to leave out, by name; see ``TASK_CHECKS``.
        strict: take advice for a failure.

    Raises:
        ConformanceError: names every check that failed, what was found, and what to do.
    """
    with scratch_directory("vtk-check-task-") as folder:
        subject = Subject(
            plugin,
            recipe,
            folder=folder,
            sets=sets,
            demo=demo,
            beside=beside,
            files=files,
            missing=missing,
        )
        return run_checks(subject, TASK_CHECKS, without=without, strict=strict)


def check_extension(
    plugin: object | str,
    options: Mapping[str, Any] | None = None,
    *,
    name: str | None = None,
    sets: Sequence[str] = (),
    without: Sequence[str] = (),
    strict: bool = False,
) -> Report:
    """Every check of an extension, beside a task that learns a few numbers.

    Args:
        plugin: as for :class:`Subject`.
        options: what the recipe says under ``extensions: NAME:``.
        name: its public name, where it is not installed.
        sets: ``key=value`` over the recipe of that task.
        without: checks to leave out, by name; see ``EXTENSION_CHECKS``.
        strict: take advice for a failure.

    Raises:
        ConformanceError: names every check that failed, what was found, and what to do.
    """
    with scratch_directory("vtk-check-extension-") as folder:
        subject = extension_subject(plugin, options, folder=folder, name=name, sets=sets)
        return run_checks(subject, EXTENSION_CHECKS, without=without, strict=strict)


def extension_subject(
    plugin: object | str,
    options: Mapping[str, Any] | None = None,
    *,
    folder: Path,
    name: str | None = None,
    sets: Sequence[str] = (),
) -> Subject:
    """An extension beside a task that learns a few numbers, for checks one by one."""
    entry = entry_of(plugin, "extension", name)
    recipe = {
        "task": numbers.NAME,
        "train": {"epochs": 3, "batch_size": 8},
        "optimizer": {"name": "adam", "lr": 0.01},
        "loader": {"workers": 0},
        "extensions": {entry.name: dict(options or {})},
    }
    task = entry_of(numbers.plugin, "task", numbers.NAME)
    return Subject(plugin, recipe, folder=folder, kind="extension", name=entry.name, sets=sets, beside=[task])


def run_checks(
    subject: Subject, checks: Mapping[str, Check], *, without: Sequence[str] = (), strict: bool = False
) -> Report:
    """Runs checks one after another and gathers what fails.

    Raises:
        ConformanceError: one failure as it is, several as one.
        ValueError: ``without`` names no check.
    """
    if unknown := set(without) - set(checks):
        raise ValueError(f"without: no check is called {', '.join(sorted(unknown))}; there are {', '.join(checks)}")
    report, failures = Report(), list[ConformanceError]()
    for name, check in checks.items():
        if name in without:
            report.left_out[name] = "by request"
            continue
        try:
            check(subject)
            report.passed.append(name)
        except NotApplicable as reason:
            report.left_out[name] = str(reason)
        except ConformanceError as failure:
            if name in _ADVICE and not strict:
                report.advice.append(str(failure))
                continue
            if failure.found not in [earlier.found for earlier in failures]:  # what ends every run is told once
                failures.append(failure)
            if name in _FIRST:
                break
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise ConformanceErrors(failures)
    return report


class ConformanceErrors(ConformanceError):
    """Several checks that failed."""

    def __init__(self, failures: Sequence[ConformanceError]) -> None:
        AssertionError.__init__(self, "\n".join([f"{len(failures)} checks failed", *map(str, failures)]))
        self.failures = tuple(failures)
        self.check = ", ".join(failure.check for failure in failures)
        self.found = "; ".join(failure.found for failure in failures)
        self.remedy = "; ".join(failure.remedy for failure in failures)
