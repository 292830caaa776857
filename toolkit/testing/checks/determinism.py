"""The same recipe and seed lead to the same weights, however the batches are prepared."""

from __future__ import annotations

from toolkit.testing.findings import ConformanceError, finding
from toolkit.testing.subject import Subject
from toolkit.testing.training import Trained, train

_OWN_DRAWS = (
    "draw what is random in a sample from index.rng() in __getitem__ (key.rng() in a batch transform) and from nothing "
    "else; give other generators a fixed seed; iterate over no set and no unsorted folder"
)


@finding
def check_determinism(subject: Subject) -> None:
    """Two runs with one seed end in the same weights to the bit, on the CPU; so does one with two workers."""
    first = subject.trained
    _require_same("determinism", "two runs with the same seed", first, subject.again, _OWN_DRAWS)
    _check_workers(subject, first)


def _check_workers(subject: Subject, first: Trained) -> None:
    """Workers prepare batches ahead and out of turn, so whatever they share shows."""
    workers = first.run.recipe.loader.workers
    other = 0 if workers else 2
    second = train(subject, f"workers-{other}", sets=(f"loader.workers={other}",))
    remedy = f"{_OWN_DRAWS}; set thread_safe = True only on a data set that keeps nothing between two samples"
    _require_same("determinism", f"runs with {workers} and with {other} workers", first, second, remedy)


def _require_same(check: str, what: str, first: Trained, second: Trained, remedy: str) -> None:
    from toolkit.testing.compare import differences

    found = differences(first.weights, second.weights, "weights") or differences(first.state, second.state, "state")
    found += differences(first.history, second.history, "run", tolerance=1e-5)
    if found:
        where, how = found[0]
        raise ConformanceError(check, f"{what} end in different places: {where}: {how}", remedy)
