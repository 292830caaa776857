"""The process around a run: one run at a time, and afterwards everything that all its code shares is as it was.

A run seeds Python's, NumPy's and torch's global generators and draws from them, so two at once in threads of one
process would each give other weights than alone. The second is refused; run it in a process of its own.
"""

from __future__ import annotations

import os
import random
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from toolkit.errors import ExitCode, VtkError
from toolkit.system.allocator import tune_environment
from toolkit.system.environ import restore_environment
from toolkit.system.opencv import single_threaded

__all__ = ["alone", "building", "left_as_found"]

_RUNNING = threading.RLock()
_BUILDING = threading.RLock()


class _Holder:
    """The thread that runs a recipe now."""

    thread: int | None = None


@contextmanager
def alone() -> Iterator[None]:
    """Within, no other thread of this process may run a recipe, and the process is left as it was found.

    The same thread may, within: it finds the random states as they were when it is back.

    Raises:
        VtkError: another thread is running one (exit code 75).
    """
    if not _RUNNING.acquire(blocking=False):
        raise _taken()
    before, _Holder.thread = _Holder.thread, threading.get_ident()
    try:
        with left_as_found(), single_threaded():
            tune_environment()  # what processes that are started within inherit
            yield
    finally:
        _Holder.thread = before
        _RUNNING.release()


@contextmanager
def building() -> Iterator[None]:
    """Around the making of a network outside of a run, which draws weights that are then replaced by kept ones.

    Raises:
        VtkError: another thread is running a recipe, and would draw other numbers after this (exit code 75).
    """
    if _Holder.thread not in (None, threading.get_ident()):
        raise _taken()
    with _BUILDING, left_as_found():
        yield


def _taken() -> VtkError:
    return VtkError(
        "another thread of this process is running a recipe, and both would draw from the same random numbers",
        hint="Go one after the other, or each in a process of its own.",
        code=ExitCode.LOCKED,
    )


@contextmanager
def left_as_found() -> Iterator[None]:
    """Put back what belongs to the whole process.

    Random states (Python, NumPy, torch, CUDA), torch's numbers of threads, its default dtype, determinism and
    precision switches, the filters of warnings and the environment. Signal handlers are put back by
    :func:`toolkit.system.signals.catch_signals`. Not put back: what glibc's allocator was told to keep
    (:func:`toolkit.system.allocator.tune_allocator`), and what was imported.
    """
    before = [(put, value) for read, put in _SHARED if (value := read()) is not None]
    environment = dict(os.environ)
    try:
        with warnings.catch_warnings():
            yield
    finally:
        for put, value in before:
            put(value)
        restore_environment(environment)


def _cuda_states() -> list[torch.Tensor] | None:
    initialized: Callable[[], bool] = torch.cuda.is_initialized
    return torch.cuda.get_rng_state_all() if torch.cuda.is_available() and initialized() else None


def _put_grad(enabled: bool) -> None:
    torch.set_grad_enabled(enabled)


def _put_threads(count: int) -> None:
    if torch.get_num_threads() != count:
        torch.set_num_threads(count)


def _put_deterministic(value: tuple[bool, bool]) -> None:
    torch.use_deterministic_algorithms(value[0], warn_only=value[1])


def _attribute(owner: Any, name: str) -> tuple[Callable[[], Any], Callable[[Any], None]]:
    return lambda: getattr(owner, name), lambda value: setattr(owner, name, value)


_SHARED: tuple[tuple[Callable[[], Any], Callable[[Any], None]], ...] = (
    (random.getstate, random.setstate),
    (lambda: np.random.get_state(legacy=False), np.random.set_state),
    (torch.get_rng_state, torch.set_rng_state),
    (_cuda_states, torch.cuda.set_rng_state_all),
    (torch.get_num_threads, _put_threads),
    (torch.get_default_dtype, torch.set_default_dtype),
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    (
        lambda: (torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()),
        _put_deterministic,
    ),
    (torch.is_grad_enabled, _put_grad),
    _attribute(torch.backends.cudnn, "benchmark"),
    _attribute(torch.backends.cudnn, "deterministic"),
)
