"""For the tests of plugins: a conformance suite, and fixtures in ``toolkit.testing.fixtures``.

    from toolkit.testing import check_task

    def test_the_task_keeps_its_promises():
        check_task("vtk_dots.plugin:plugin", RECIPE, sets=["data.count=32", "train.epochs=2"], files=write_pictures)

Every name below is public, in the sense of ``plugins/README.md``.
"""

from __future__ import annotations

from toolkit.testing.checks.bundle import check_bundle
from toolkit.testing.checks.determinism import check_determinism
from toolkit.testing.checks.errors import check_errors
from toolkit.testing.checks.hooks import check_hooks
from toolkit.testing.checks.imports import check_imports
from toolkit.testing.checks.plan import check_plan
from toolkit.testing.checks.predict import check_predict
from toolkit.testing.checks.resume import check_resume
from toolkit.testing.checks.schema import check_schema
from toolkit.testing.conformance import (
    EXTENSION_CHECKS,
    TASK_CHECKS,
    Report,
    check_extension,
    check_task,
    extension_subject,
    run_checks,
)
from toolkit.testing.findings import ConformanceError, NotApplicable
from toolkit.testing.isolation import entry_of, only
from toolkit.testing.subject import Subject

__all__ = [
    "EXTENSION_CHECKS",
    "TASK_CHECKS",
    "ConformanceError",
    "NotApplicable",
    "Report",
    "Subject",
    "check_bundle",
    "check_determinism",
    "check_errors",
    "check_extension",
    "check_hooks",
    "check_imports",
    "check_plan",
    "check_predict",
    "check_resume",
    "check_schema",
    "check_task",
    "entry_of",
    "extension_subject",
    "only",
    "run_checks",
]
