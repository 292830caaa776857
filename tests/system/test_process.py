"""Beside other code: a run leaves the process as it found it, and does not share it with another run."""

from __future__ import annotations

import os
import random
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from rich.console import Console

from toolkit.cli import main
from toolkit.errors import ExitCode, VtkError
from toolkit.inference.bundle import Bundle
from toolkit.recipe.resolved import ResolvedRecipe
from toolkit.run.dry_run import make_plan
from toolkit.run.runner import execute
from toolkit.system.process import alone

DIGITS = ["digits", "--set", "train.epochs=1", "--set", "data.limit=40", "--set", "loader.workers=0"]


def shared() -> dict[str, Any]:
    """All that the code of one process shares."""
    return {
        "random": random.getstate(),
        "numpy": [str(part) for part in np.random.get_state()],
        "torch": torch.get_rng_state().tolist(),
        "torch threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "torch switches": (torch.get_default_dtype(), torch.get_float32_matmul_precision(), torch.is_grad_enabled()),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "cuda": [state.tolist() for state in torch.cuda.get_rng_state_all()] if torch.cuda.is_available() else [],
        "opencv": (cv2.getNumThreads(), cv2.ocl.useOpenCL()),
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
        "warnings": list(warnings.filters),
        "environment": dict(os.environ),
    }


@contextmanager
def unchanged() -> Iterator[None]:
    """What is shared has values of its own, and has them again after the block."""
    threads = cv2.getNumThreads()
    random.seed(11)
    np.random.seed(12)
    torch.manual_seed(13)
    cv2.setNumThreads(3)
    before = shared()
    try:
        yield
        after = shared()
        assert {name for name in before if before[name] != after[name]} == set()
    finally:
        cv2.setNumThreads(threads)


def test_the_command_line_leaves_the_process_as_it_was(tmp_path: Path) -> None:
    out = str(tmp_path / "run")
    for words in (["run", *DIGITS, "--out", out, "-q"], ["eval", out], ["check", *DIGITS, "--data"]):
        with unchanged():
            assert main(words) == 0


def test_so_do_execute_and_the_plan(recipe: Callable[..., ResolvedRecipe], console: Console, tmp_path: Path) -> None:
    with unchanged():
        execute(recipe(), console=console, out=tmp_path / "run")
    with unchanged():
        make_plan(recipe(), console=console)


def test_a_failed_run_leaves_it_too(recipe: Callable[..., ResolvedRecipe], console: Console, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("in the way")
    with unchanged(), pytest.raises(VtkError):
        execute(recipe(), console=console, out=tmp_path / "run")


def in_a_thread(call: Callable[[], Any]) -> list[BaseException]:
    """What the call raises in another thread."""
    raised: list[BaseException] = []

    def attempt() -> None:
        try:
            call()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    return raised


def test_a_second_run_in_another_thread_is_refused(
    recipe: Callable[..., ResolvedRecipe], console: Console, tmp_path: Path
) -> None:
    resolved = recipe()
    with alone():
        (refused,) = in_a_thread(lambda: execute(resolved, console=console, out=tmp_path / "second"))
        (unplanned,) = in_a_thread(lambda: make_plan(resolved, console=console))
    assert isinstance(refused, VtkError)
    assert isinstance(unplanned, VtkError)
    assert (refused.code, unplanned.code) == (ExitCode.LOCKED, ExitCode.LOCKED)
    assert "another thread" in refused.message
    assert not (tmp_path / "second").exists()
    assert in_a_thread(lambda: execute(resolved, console=console, out=tmp_path / "second")) == []


def test_a_bundle_is_not_opened_beside_a_run_but_within_it(
    recipe: Callable[..., ResolvedRecipe], catalogue: Any, console: Console, tmp_path: Path
) -> None:
    assert main(["run", *DIGITS, "--out", str(tmp_path / "run"), "-q"]) == 0
    bundle = Bundle.load(tmp_path / "run", device="cpu")
    with alone():
        (refused,) = in_a_thread(bundle.model)
        torch.manual_seed(1)
        before = torch.get_rng_state()
        bundle.model()
        assert torch.equal(before, torch.get_rng_state())
    assert isinstance(refused, VtkError)
    assert in_a_thread(bundle.model) == []


def test_a_run_goes_on_where_its_consoles_reader_has_left(
    recipe: Callable[..., ResolvedRecipe], tmp_path: Path
) -> None:
    read, write = os.pipe()
    os.close(read)
    with open(write, "w") as gone:
        console = Console(file=gone, force_terminal=False)
        outcome = execute(recipe(text="train: {epochs: 2, batch_size: 8}\n"), console=console, out=tmp_path / "run")
        os.dup2(os.open(os.devnull, os.O_WRONLY), write)
    assert outcome.epochs == 2
    assert '"finished"' in (tmp_path / "run" / "status.json").read_text()
