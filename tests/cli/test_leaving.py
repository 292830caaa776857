"""Whatever ``vtk`` is at when it is told to end: it ends soon, says so by its exit code and leaves the truth behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from toolkit.errors import ExitCode
from toolkit.run.checkpoint.store import CheckpointStore
from toolkit.system import leaving

HELPERS = Path(__file__).parents[1] / "helpers"

# Something in the process says where it is and stays there, deaf to everything; the first save has gone before `late`.
DEAF = '''
import ctypes, os, sys
from toolkit.cli import main

def stay(*given, **options):
    """As an operation of a library that gives Python no turn in this thread."""
    os.write(2, b"STAYING\\n")
    libc, mutex = ctypes.CDLL(None), ctypes.create_string_buffer(256)
    libc.pthread_mutex_init(mutex, None)
    libc.pthread_mutex_lock(mutex)
    libc.pthread_mutex_lock(mutex)  # waits for itself, and no signal ends that

def replace(where):
    module, name = where.rsplit(".", 1)
    import importlib
    owner = importlib.import_module(module)
    setattr(owner, name, stay)

replace(os.environ["STAY_IN"])
sys.exit(main())
'''
STATES = {
    "looking at the data": "toolkit.run.setup.build_data",
    "building the model": "toolkit.run.setup.build_model",
    "a step": "toolkit.run.loop.train_epoch",
    "writing what runs": "toolkit.run.runner.announce",
    "writing a checkpoint": "toolkit.run.checkpoint.store._write_directory",
    "the last evaluation": "toolkit.run.runner.finish",
    "drawing the report": "toolkit.run.finish.make_report",
}
PROMISED = 10.0
SOON = 2 * PROMISED
"""A machine with much else to do takes its time to start a thread and to take a process apart."""


@pytest.fixture
def deaf(toy_site: object, here: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """``vtk`` as a process that has come to a place where it hears nothing."""

    def begin(place: str, *args: str) -> subprocess.Popen[str]:
        path = os.pathsep.join([str(toy_site.folder), str(HELPERS)])  # type: ignore[attr-defined]
        env = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "STAY_IN": place}
        child = subprocess.Popen(
            [sys.executable, "-c", DEAF, *args], env=env, cwd=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        children.append(child)
        assert child.stderr is not None
        assert any("STAYING" in line for line in child.stderr)
        return child

    children: list[subprocess.Popen[str]] = []
    yield begin
    for child in children:
        child.kill()
        child.communicate()


def ended(child: subprocess.Popen[str], *signals: int) -> tuple[float, str]:
    """Seconds until it ended, and what it still said."""
    begun = time.monotonic()
    for number in signals:
        child.send_signal(number)
    _, said = child.communicate(timeout=60)
    return time.monotonic() - begun, said


@pytest.mark.parametrize(
    "state", [pytest.param(s, marks=[pytest.mark.slow] if i > 2 else []) for i, s in enumerate(STATES)]
)
def test_a_run_that_hears_nothing_ends_within_ten_seconds(deaf: Callable, here: Path, state: str) -> None:
    child = deaf(STATES[state], "run", "toy.yaml", "--out", "runs/a")
    seconds, said = ended(child, signal.SIGTERM)
    assert child.returncode == ExitCode.TERMINATED
    assert "Traceback" not in said
    run = here / "runs/a"
    if (run / "status.json").exists():
        assert json.loads((run / "status.json").read_text())["status"] == "stopped"
        assert not (run / ".holder").exists()
    else:
        assert not (here / "runs").exists(), "what was made for nothing is left"
    assert "stopped" in said
    store = CheckpointStore(run / "checkpoints")
    for step in store.steps():
        store.verify(step)
    if state != "writing a checkpoint":
        assert list(here.rglob("*.tmp*")) == []
    assert seconds < SOON


def test_what_it_waits_for_is_within_what_is_promised() -> None:
    assert leaving.GRACE + leaving.SAVE + leaving.FAREWELL < PROMISED


def test_a_second_ctrl_c_ends_what_hears_nothing_at_once(deaf: Callable, here: Path) -> None:
    child = deaf("toolkit.run.loop.train_epoch", "run", "toy.yaml", "--out", "a")
    child.send_signal(signal.SIGINT)
    ended(child, signal.SIGTERM)
    assert child.returncode in (ExitCode.INTERRUPTED, ExitCode.TERMINATED)
    assert json.loads((here / "a/status.json").read_text())["status"] == "stopped"


ELSEWHERE = {
    "importing a plugin": ("toolkit.hooks.loading._resolve", "run toy.yaml --out a"),
    "printing": ("toolkit.cli.recipes.echo_exact", "recipes show digits"),
    "a trial": ("toolkit.run.dry_run.build_data", "check toy.yaml --data"),
    "searching a rate": ("toolkit.tune.lr_finder.find_rate", "tune toy.yaml --lr"),
    "measuring": ("toolkit.profile.bench.measure", "bench toy.yaml"),
    "predicting": ("toolkit.inference.predict._predict", "predict trained 0.txt --csv"),
    "hashing weights": ("toolkit.inference.bundle._check_weights", "eval trained"),
    "writing a file": ("toolkit.system.files._sync_file", "recipes cp digits"),
    "writing a plugin": ("toolkit.scaffold.scaffold._umask", "new-plugin newt"),
}


def files(folder: Path) -> list[Path]:
    """Everything below, less the folder that torch makes for itself."""
    return sorted(path for path in folder.rglob("*") if not path.name.startswith("torchinductor_"))


@pytest.mark.parametrize(
    "place", [pytest.param(p, marks=[pytest.mark.slow] if i else []) for i, p in enumerate(ELSEWHERE)]
)
def test_another_verb_that_is_terminated_leaves_nothing(
    deaf: Callable, here: Path, trained: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM is answered as Ctrl-C is, and by the same deadline where nothing hears it."""
    shutil.copytree(trained, here / "trained")
    (here / "0.txt").write_text("0 1 2 3")
    (here / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(here / "tmp"))
    before = files(here)
    where, words = ELSEWHERE[place]
    child = deaf(where, *words.split())
    seconds, said = ended(child, signal.SIGTERM)
    assert child.returncode == ExitCode.TERMINATED
    assert "Traceback" not in said
    assert files(here) == before
    assert seconds < SOON
