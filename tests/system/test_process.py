"""Beside other code: a run leaves the process as it found it, and does not share it with another run."""

from __future__ import annotations

import logging
import os
import random
import resource
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import matplotlib.pyplot
import numpy as np
import PIL.Image
import PIL.ImageFile
import pytest
import torch
from rich.console import Console

from tests.helpers.process_state import changes, process_state
from toolkit import read_image
from toolkit.cli import main
from toolkit.errors import ExitCode, VtkError
from toolkit.inference.bundle import Bundle
from toolkit.inference.predict import predict_files
from toolkit.recipe.resolved import ResolvedRecipe
from toolkit.run.dry_run import make_plan
from toolkit.run.runner import execute
from toolkit.system.process import alone

DIGITS = ["digits", "--set", "train.epochs=1", "--set", "data.limit=40", "--set", "loader.workers=0"]


def shared() -> dict[str, Any]:
    """All that the code of one process shares."""
    return process_state() | {
        "random": random.getstate(),
        "numpy": [str(part) for part in np.random.get_state()],
        "torch": torch.get_rng_state().tolist(),
        "cuda": [state.tolist() for state in torch.cuda.get_rng_state_all()] if torch.cuda.is_available() else [],
        "sharing": torch.multiprocessing.get_sharing_strategy(),
        "warnings": list(warnings.filters),
        "hooks": (sys.excepthook, threading.excepthook, sys.unraisablehook),
        "path": list(sys.path),
        "recursion": sys.getrecursionlimit(),
        "logging": (logging.root.level, list(logging.root.handlers)),
        "pillow": (PIL.Image.MAX_IMAGE_PIXELS, PIL.ImageFile.LOAD_TRUNCATED_IMAGES),
        "plots": (dict(matplotlib.rcParams), matplotlib.pyplot.get_fignums()),
        "waiting": socket.getdefaulttimeout(),
        "limits": [resource.getrlimit(kind) for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_AS)],
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
        assert set(changes(before, shared())) == set()
    finally:
        cv2.setNumThreads(threads)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a run, with a picture beside it."""
    directory = tmp_path_factory.mktemp("finished") / "run"
    with unchanged():
        assert main(["run", *DIGITS, "--out", str(directory), "-q"]) == 0
    cv2.imwrite(str(directory.parent / "picture.png"), np.full((8, 8, 3), 99, np.uint8))
    return directory


VERBS = {
    "eval": ["eval", "RUN", "--report", "RUN/../page"],
    "check": ["check", *DIGITS, "--data"],
    "predict": ["predict", "RUN", "RUN/../picture.png"],
    "tune": ["tune", "--lr", *DIGITS, "--rates", "12", "--out", "RUN/../rates.png"],
    "bench": ["bench", *DIGITS, "--seconds", "0.2"],
    "recipes": ["recipes", "ls"],
    "plugins": ["plugins"],
    "a recipe that there is not": ["run", "no-such-recipe"],
}


@pytest.mark.parametrize("verb", VERBS)
def test_the_command_line_leaves_the_process_as_it_was(finished: Path, verb: str) -> None:
    with unchanged():
        code = main([word.replace("RUN", str(finished)) for word in VERBS[verb]])
    assert code == (ExitCode.NO_INPUT if verb.startswith("a recipe") else ExitCode.OK)


def test_so_do_a_bundle_and_the_reading_of_pictures(finished: Path) -> None:
    with unchanged():
        bundle = Bundle.load(finished, device="cpu")
        assert bundle.network.training is False
    with unchanged():
        read_image(finished.parent / "picture.png")
    with unchanged():
        list(predict_files(bundle, [finished.parent / "picture.png"]))


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
