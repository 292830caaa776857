"""Examining plugins in processes of their own, several at a time: whatever one does hurts neither us nor the others."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, Any

EXAMINER = "toolkit.recipe.plugin_check"


@dataclass(frozen=True)
class Verdict:
    """What a process found: ``error`` is None where all is well; ``seconds`` is what the plugin itself took."""

    error: str | None
    traceback: str | None = None
    seconds: float | None = None


def examine_apart(subjects: Sequence[Mapping[str, Any]], *, timeout: float) -> list[Verdict]:
    """The verdict on each subject, in their order.

    Args:
        subjects: what ``toolkit.recipe.plugin_check`` takes.
        timeout: seconds after which a process is ended.
    """
    running: set[subprocess.Popen[bytes]] = set()
    unwanted = threading.Event()
    with ThreadPoolExecutor(max(1, min(8, os.cpu_count() or 1))) as pool:
        try:
            return list(pool.map(lambda subject: _examine(subject, timeout, running, unwanted), subjects))
        except BaseException:  # the user wants no answer any more
            unwanted.set()
            pool.shutdown(wait=False, cancel_futures=True)
            for child in [*running]:
                _end(child)
            raise


def _examine(
    subject: Mapping[str, Any], timeout: float, running: set[subprocess.Popen[bytes]], unwanted: threading.Event
) -> Verdict:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", EXAMINER, json.dumps(subject)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)},
            start_new_session=True,
        )
        running.add(child)
        if unwanted.is_set():  # since it was begun; whoever ends the others may not have seen this one
            _end(child)
        code = None
        try:
            code = child.wait(timeout)
        except subprocess.TimeoutExpired:
            pass  # it may have answered all the same, which can be read once it is gone
        finally:
            _end(child)
            running.discard(child)
        return _read(out) or Verdict(_why_none(code, timeout), _tail(err))


def _read(out: IO[bytes]) -> Verdict | None:
    out.seek(0)
    try:
        return Verdict(**json.loads(out.read()))
    except ValueError:
        return None


def _why_none(code: int | None, timeout: float) -> str:
    """Why there is no answer; the code is None where the process had to be ended."""
    if code is None:
        return f"gave no answer within {timeout:g} s"
    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    return f"its process {how} before it answered"


def _tail(err: IO[bytes]) -> str:
    """The last lines of what the process said."""
    err.seek(0)
    return "\n".join(err.read().decode(errors="replace").splitlines()[-50:])


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a process, and those that it has started, which may outlive it; they are in its session."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody is left; macOS: only zombies are
            os.killpg(child.pid, signal.SIGKILL)
    elif child.poll() is None:
        child.kill()
    child.wait()
