"""What a plugin adds to a report can be shown. Users are only told that it is missing, so its author must be."""

from __future__ import annotations

from toolkit.testing.findings import ConformanceError, finding
from toolkit.testing.subject import Subject


@finding
def check_report(subject: Subject) -> None:
    """``vtk_report`` answers, and each figure and table of its answer can be shown."""
    trained = subject.trained
    assert trained.finished is not None
    for gap in trained.finished.missing:
        remedy = (
            "answer toolkit.Figure and toolkit.Table for whatever vtk_report is given; see run.trained_meta and None"
        )
        raise ConformanceError("report", f"the report lacks {gap}", remedy) from gap.error
