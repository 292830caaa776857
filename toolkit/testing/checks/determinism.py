"""The same recipe and seed lead to the same weights, however the batches are prepared."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

from toolkit.hooks.results import type_name
from toolkit.testing.findings import ConformanceError, finding
from toolkit.testing.subject import Subject
from toolkit.testing.training import Trained, train

if TYPE_CHECKING:
    from toolkit.run.run import Run

_OWN_DRAWS = (
    "draw what is random in a sample from index.rng() in __getitem__ (key.rng() in a batch transform) and from nothing "
    "else; give other generators a fixed seed; iterate over no set and no unsorted folder"
)


@finding
def check_determinism(subject: Subject) -> None:
    """Two runs with one seed end in the same weights to the bit, on the CPU; so does one with two workers, which
    need no fork.
    """
    first = subject.trained
    _require_same("determinism", "two runs with the same seed", first, subject.again, _OWN_DRAWS)
    _check_workers(subject, first)


def _check_workers(subject: Subject, first: Trained) -> None:
    """Workers prepare batches ahead and out of turn, so whatever they share shows."""
    _require_picklable(first.run)
    workers = first.run.recipe.loader.workers
    other = 0 if workers else 2
    second = train(subject, f"workers-{other}", sets=(f"loader.workers={other}",))
    remedy = f"{_OWN_DRAWS}; set thread_safe = True only on a data set that keeps nothing between two samples"
    _require_same("determinism", f"runs with {workers} and with {other} workers", first, second, remedy)


def _require_picklable(run: Run) -> None:
    """Processes that are not forked get by pickling what a batch is fetched with."""
    from toolkit.data.loading.loaders import choose_workers

    data = run.data
    for split in ("train", "val", "test"):
        dataset = getattr(data, split)
        if dataset is None or choose_workers(dataset, 2, run.recipe.loader.kind, batches=1)[1] != "process":
            continue
        for part, value in ((split, dataset), ("collate", data.collate)):
            fault = _unpicklable(value)
            if fault is not None:
                raise ConformanceError(
                    "determinism",
                    f"Data.{part}, {type_name(value)}, cannot be pickled: {fault}",
                    "macOS and Windows send it to worker processes so, and Linux does from Python 3.14 on: define "
                    "functions and classes at the top of a module (no lambda, nothing local), and open files and "
                    "connections where they are first used; or set thread_safe = True on a data set that is",
                )


def _unpicklable(value: Any) -> str | None:
    """Why a value cannot be pickled, where it cannot."""
    try:
        pickle.dumps(value)
    except Exception as error:
        if "through inheritance" in str(error):  # locks of multiprocessing: only a process that starts gets them
            return None
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    return None


def _require_same(check: str, what: str, first: Trained, second: Trained, remedy: str) -> None:
    from toolkit.testing.compare import differences

    found = differences(first.weights, second.weights, "weights") or differences(first.state, second.state, "state")
    found += differences(first.history, second.history, "run", tolerance=1e-5)
    if found:
        where, how = found[0]
        raise ConformanceError(check, f"{what} end in different places: {where}: {how}", remedy)
