"""The saved model needs nothing but itself and the plugin."""

from __future__ import annotations

import shutil
from typing import Any

from toolkit.errors import VtkError
from toolkit.testing.findings import ConformanceError, NotApplicable, finding
from toolkit.testing.subject import Subject
from toolkit.testing.training import silent

_META = (
    "let vtk_model build from recipe and data.meta alone (vtk_data has not been called where a bundle is opened), and "
    "put into data.meta, in vtk_data or vtk_calibrate, whatever else answering needs; data.meta holds plain JSON values"
)


@finding
def check_bundle(subject: Subject) -> None:
    """A bundle that was moved elsewhere opens, has the run's weights, and evaluates to the run's metrics."""
    from toolkit.testing.compare import differences

    trained = subject.trained
    assert trained.finished is not None
    if trained.finished.bundle is None:
        raise NotApplicable("the task's Recipe says predicts = False, so no bundle is made")
    moved = subject.folder / "moved" / "bundle"
    shutil.copytree(trained.finished.bundle, moved, dirs_exist_ok=True)
    model, meta = _opened(subject, moved)
    if found := differences(dict(trained.run.data.meta), meta, "meta"):
        raise ConformanceError("bundle", f"data.meta reads differently from the bundle: {_said(found[0])}", _META)
    if found := differences(dict(trained.run.model.state_dict()), dict(model.state_dict()), "weights"):
        raise ConformanceError("bundle", f"the bundle holds another model than the run's: {_said(found[0])}", _META)
    _check_evaluation(subject)


def _opened(subject: Subject, directory: Any) -> tuple[Any, dict[str, Any]]:
    from toolkit.inference.bundle import Bundle

    with subject.alone() as catalogue:
        bundle = Bundle.load(directory, catalogue=catalogue)
        try:
            return bundle.model(), bundle.meta
        except Exception as error:
            message = f"the bundle does not open: {type(error).__name__}: {error}"
            raise ConformanceError("bundle", message, _META) from error


def _check_evaluation(subject: Subject) -> None:
    """``vtk eval`` on the run's own data finds what the run found at its end."""
    from contextlib import nullcontext

    from toolkit.run.evaluate_run import reevaluate

    trained = subject.trained
    assert trained.finished is not None
    expected = trained.finished.result.metrics
    if not expected:
        return
    sets_device = "cpu"
    try:
        with subject.alone():
            found = reevaluate(
                trained.directory, console=silent(), display=lambda _run: nullcontext(), device=sets_device
            )
    except VtkError as error:
        remedy = f"under vtk eval, run.trained_meta holds the bundle's meta: align the data with it; {_META}"
        raise ConformanceError("bundle", f"`vtk eval` of the finished run fails: {error}", remedy) from error
    for name, value in expected.items():
        now = found.result.metrics.get(name)
        if now is None or not _close(value, now):
            raise ConformanceError(
                "bundle", f"`vtk eval` finds {name} {now}, and the run itself found {value} at its end", _META
            )


def _close(a: float, b: float) -> bool:
    return a == b or (a != a and b != b) or abs(a - b) <= 1e-5 * max(abs(a), abs(b))


def _said(difference: tuple[str, str]) -> str:
    return f"{difference[0]}: {difference[1]}"
