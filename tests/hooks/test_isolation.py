"""Examining plugins in processes of their own: whatever one does is told, and the next is examined all the same."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from subprocess import PIPE

import pytest
from plugin_site import GOOD_TASK, Site

from toolkit.hooks.catalogue import Catalogue
from toolkit.hooks.isolation import Verdict, examine_apart

MODULES = {
    "apart_good": GOOD_TASK,
    "apart_loud": f"print('{{}} []')\nimport os; os.write(1, b'noise')\n{GOOD_TASK}",
    "apart_bad": "import nothing_of_this_name",
    "apart_exit": "import os, sys; print('last words', file=sys.stderr, flush=True); os._exit(0)",
    "apart_asks": f"import sys\nassert not sys.stdin.read(1), 'took what the user types'\n{GOOD_TASK}",
    "apart_kill": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "apart_class": GOOD_TASK.replace("plugin = Task()", "plugin = Task"),
    "apart_wrap": GOOD_TASK.replace("plugin = Task()", "")
    + "class Wrap(Task):\n    @hookimpl(wrapper=True)\n    def vtk_fit(self, run): ...\nplugin = Wrap()\n",
    "apart_flag": GOOD_TASK.replace("plugin = Task()", "")
    + "from toolkit import Option\nclass Flags(Task):\n    @hookimpl\n    def vtk_options(self):\n"
    "        return [Option('--good', key='train.epochs', help=''), Option('--bad', key='data.depth', help='')]\n"
    "plugin = Flags()\n",
}


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Verdict]:
    """What was found of each module, by name, all examined in one call."""
    site = Site(tmp_path_factory.mktemp("apart"))
    site.install("apart", tasks={name: f"{name}:plugin" for name in MODULES}, modules=MODULES)
    here = tmp_path_factory.mktemp("here")
    (here / "pydantic.py").write_text("raise RuntimeError('imported from the present folder')")
    with site.active(), _typed(b"y"), pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        plugins = [plugin for plugin in Catalogue(disabled=()).plugins if plugin.distribution == "apart"]
        found = examine_apart([asdict(plugin) for plugin in plugins], timeout=120)
    return dict(zip((plugin.name for plugin in plugins), found, strict=True))


@contextmanager
def _typed(text: bytes) -> Iterator[None]:
    """The user has typed this, and may type more."""
    kept = os.dup(0)
    reading, writing = os.pipe()
    os.write(writing, text)
    os.dup2(reading, 0)
    try:
        yield
    finally:
        os.dup2(kept, 0)
        for number in (kept, reading, writing):
            os.close(number)


@pytest.mark.parametrize("name", ["apart_good", "apart_loud", "apart_asks"])
def test_a_good_one_is_good_whatever_it_prints(verdicts: dict[str, Verdict], name: str) -> None:
    assert verdicts[name].error is None
    assert verdicts[name].seconds is not None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("apart_bad", "ModuleNotFoundError: No module named 'nothing_of_this_name'"),
        ("apart_exit", "its process ended with exit code 0 before it answered"),
        ("apart_kill", f"its process was killed by signal {int(signal.SIGKILL)} before it answered"),
        ("apart_class", "the entry point names a class"),
        ("apart_wrap", "cannot be registered"),
        ("apart_flag", "--bad: the schema has no key 'data.depth'"),
    ],
)
def test_what_is_wrong_is_told(verdicts: dict[str, Verdict], name: str, words: str) -> None:
    error = verdicts[name].error
    assert error is not None
    assert words in error
    assert "--good" not in error


def test_the_traceback_is_kept(verdicts: dict[str, Verdict]) -> None:
    assert "import nothing_of_this_name" in (verdicts["apart_bad"].traceback or "")
    assert verdicts["apart_exit"].traceback == "last words"


def test_one_that_never_answers_is_ended_with_what_it_started(tmp_path: Path) -> None:
    site, note = Site(tmp_path), tmp_path / "child"
    source = f"""
    import pathlib, subprocess, time
    child = subprocess.Popen(["sleep", "600"])
    pathlib.Path({str(note)!r}).write_text(str(child.pid))
    time.sleep(600)
    """
    site.install("endless", tasks={"endless": "endless_task:plugin"}, modules={"endless_task": source})
    with site.active():
        (plugin,) = [p for p in Catalogue(disabled=()).plugins if p.name == "endless"]
        (verdict,) = examine_apart([asdict(plugin)], timeout=3)
    assert verdict.error == "gave no answer within 3 s"
    if note.exists():  # on a machine that is busy enough the process may have been ended before
        _until(lambda: not _runs(int(note.read_text())))


def test_what_a_plugin_that_answers_has_started_is_ended_too(tmp_path: Path) -> None:
    site, note = Site(tmp_path), tmp_path / "child"
    source = f"""
    import pathlib, subprocess
    child = subprocess.Popen(["sleep", "600"])
    pathlib.Path({str(note)!r}).write_text(str(child.pid))
    """
    modules = {"leaves_task": textwrap.dedent(source) + GOOD_TASK}
    site.install("leaves", tasks={"leaves": "leaves_task:plugin"}, modules=modules)
    with site.active():
        (plugin,) = [p for p in Catalogue(disabled=()).plugins if p.name == "leaves"]
        (verdict,) = examine_apart([asdict(plugin)], timeout=120)
    assert verdict.error is None
    _until(lambda: not _runs(int(note.read_text())))


def test_a_thread_that_goes_on_does_not_hold_up_the_answer(tmp_path: Path) -> None:
    site = Site(tmp_path)
    source = f"import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()\n{GOOD_TASK}"
    site.install("threaded", tasks={"threaded": "threaded_task:plugin"}, modules={"threaded_task": source})
    began = time.monotonic()
    with site.active():
        (plugin,) = [p for p in Catalogue(disabled=()).plugins if p.name == "threaded"]
        (verdict,) = examine_apart([asdict(plugin)], timeout=60)
    assert verdict.error is None
    assert time.monotonic() - began < 60


def test_an_answer_counts_although_the_process_had_to_be_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "answers_and_stays.py").write_text(
        'import time\nprint(\'{"error": "is bad"}\', flush=True)\ntime.sleep(600)\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("toolkit.hooks.isolation.EXAMINER", "answers_and_stays")
    for seconds in (2, 20, 100):  # on a busy machine it may take that long until the process has answered
        verdicts = examine_apart([{}], timeout=seconds)
        if verdicts != [Verdict(f"gave no answer within {seconds} s")]:
            break
    assert verdicts == [Verdict("is bad")]


ASKING = """
import json, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the tests before have left
from toolkit.hooks.isolation import examine_apart
examine_apart([json.loads(sys.argv[1])] * 2, timeout=500)
"""


def test_an_interrupt_ends_those_that_are_being_examined(tmp_path: Path) -> None:
    source = f"""
    import os, pathlib, time
    pathlib.Path({str(tmp_path)!r}, f"began-{{os.getpid()}}").touch()
    time.sleep(600)
    """
    site = Site(tmp_path)
    site.install("endless", tasks={"endless": "endless_task:plugin"}, modules={"endless_task": source})
    with site.active():
        (plugin,) = [p for p in Catalogue(disabled=()).plugins if p.name == "endless"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    asking = subprocess.Popen([sys.executable, "-c", ASKING, json.dumps(asdict(plugin))], env=env, stderr=PIPE)
    try:
        _until(lambda: any(tmp_path.glob("began-*")))
        asking.send_signal(signal.SIGINT)
        _, said = asking.communicate(timeout=120)
    finally:
        asking.kill()
    assert b"KeyboardInterrupt" in said
    began = [int(note.name.removeprefix("began-")) for note in tmp_path.glob("began-*")]
    _until(lambda: not any(map(_runs, began)))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat")
        return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def _until(holds: Callable[[], bool], seconds: float = 120) -> None:
    """Waits for something that the operating system is about to do."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)
