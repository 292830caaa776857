"""A run that was interrupted and goes on ends where it would have ended."""

from __future__ import annotations

from toolkit.testing.findings import ConformanceError, NotApplicable, finding
from toolkit.testing.subject import Subject
from toolkit.testing.training import Trained, interrupt, train

_LEAST_STEPS = 4
_KEEP = (
    "keep what must outlive the process in run.state[name] (run.plugin_state), never on the plugin's object or in a "
    "module; in vtk_stage_start, derive everything from the recipe and the stage"
)


@finding
def check_resume(subject: Subject) -> None:
    """A run is interrupted twice and resumed; weights, optimizer and plugins' state must be equal to the bit.

    Each part of it has a fresh copy of the plugin's object, as in another process.
    """
    whole = subject.trained
    if whole.steps < _LEAST_STEPS:
        raise ConformanceError(
            "resume",
            f"the recipe takes {whole.steps} optimizer steps, too few to be interrupted in between",
            "give the check a recipe with at least two epochs of two batches each, e.g. sets=['train.epochs=2']",
        )
    for number, step in enumerate(_interruptions(whole)):
        if not interrupt(subject, "resumed", step, resume=number > 0):
            raise NotApplicable("the task trains in a vtk_fit of its own, which owns resuming")
    _compare(subject, whole, train(subject, "resumed", resume=True))


def _interruptions(whole: Trained) -> list[int]:
    """One in the midst of the first epoch where it has a midst, one in the last third of the run."""
    first = max(1, min(whole.run.stages[0].epoch_steps or whole.steps, whole.steps) // 2)
    return [first, max(first + 1, whole.steps - max(1, whole.steps // 4))]


def _compare(subject: Subject, whole: Trained, resumed: Trained) -> None:
    from toolkit.testing.compare import differences

    found = differences(whole.weights, resumed.weights, "weights")
    found += differences(whole.state, resumed.state, "state")
    # A metric of the interrupted epoch adds up in two parts, which may cost its last digits.
    found += differences(whole.history, resumed.history, "run", tolerance=1e-5)
    if found:
        raise ConformanceError("resume", _said(found[0]), _KEEP)
    # What differs between two undisturbed runs, such as a stopwatch, may differ here.
    restless = {path for path, _ in differences(whole.plugins, subject.again.plugins, "run.state")}
    found = [item for item in differences(whole.plugins, resumed.plugins, "run.state") if item[0] not in restless]
    if found:
        raise ConformanceError("resume", _said(found[0]), _KEEP)


def _said(difference: tuple[str, str]) -> str:
    where, how = difference
    return f"a run that was interrupted and resumed ends elsewhere than one that was left alone: {where}: {how}"
