"""Kills toy runs at seeded random points, resumes them, and compares where they end with a run that was left alone.

    python kill_and_resume.py FOLDER TRIALS WORKERS PRECISION

The imports are paid once: every run is a forked child that dies by SIGKILL, in a step or in the middle of a save.
Prints one JSON object: how many trials ended bit-identical, how many kills there were, and what differed.
"""

from __future__ import annotations

import io
import json
import os
import random
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from toolkit.hooks.catalogue import Catalogue, Plugin
from toolkit.recipe.load import load_text
from toolkit.run import step as step_module
from toolkit.run.checkpoint.policy import best_store, checkpoint_store
from toolkit.run.runner import execute

RECIPE = """
task: toy
name: toy
seed: 3
train: {epochs: 4, batch_size: 8, clip_norm: 5.0, best: val/mae, precision: %s}
model: {batch_norm: true}
optimizer: {name: adamw, lr: 0.01}
schedule: {name: onecycle}
extensions: {tensorboard: false, checkpoints: {minutes: 1.0e-6}, early_stopping: {patience: 50}}
loader: {workers: %s, kind: thread}
"""


def catalogue() -> Catalogue:
    """The installed plugins and the toy task."""
    return Catalogue([*Catalogue().plugins, Plugin("toy", "task", "toy_task:plugin", "toy", "1.0", "least squares")])


def arm(rng: random.Random) -> None:
    """Choose a point at which this process kills itself."""
    kind = rng.choice(["step", "fsync", "rename"])
    countdown = [rng.randint(1, {"step": 30, "fsync": 90, "rename": 25}[kind])]

    def tick() -> None:
        countdown[0] -= 1
        if countdown[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    if kind == "step":
        check = step_module._check_finite
        step_module._check_finite = lambda run, loss: (tick(), check(run, loss))[1]  # type: ignore[assignment]
    elif kind == "fsync":
        fsync = os.fsync
        os.fsync = lambda handle: (tick(), fsync(handle))[1]
    else:
        rename = Path.rename
        Path.rename = lambda self, target: (tick(), rename(self, target))[1]  # type: ignore[method-assign, assignment, return-value]


def child(out: Path, settings: tuple[str, str], resume: bool, rng: random.Random | None) -> int:
    """Run in a forked child; its exit status, negative for a signal."""
    pid = os.fork()
    if pid == 0:
        torch.set_num_threads(1)
        if rng is not None:
            arm(rng)
        resolved = load_text(RECIPE % settings, name="toy", catalogue=catalogue())
        try:
            execute(resolved, console=Console(file=io.StringIO()), out=out, resume=resume)
        except BaseException as error:
            print(f"child: {error!r}", file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def final_state(out: Path) -> Any:
    """The last checkpoint, the best weights and metrics.jsonl without times."""
    tree = checkpoint_store(out).load_latest()[0]
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    timeless = [{k: v for k, v in row.items() if k not in {"seconds", "time", "at"}} for row in rows]
    return tree, best_store(out).load(tree["best"]["step"]), timeless


def differences(a: Any, b: Any, path: str = "") -> list[str]:
    """Where two trees differ; tensors and arrays are compared bit by bit."""
    if isinstance(a, dict) and isinstance(b, dict):
        if list(a) != list(b):
            return [f"{path}: keys {list(a)} and {list(b)}"]
        return [d for key in a for d in differences(a[key], b[key], f"{path}.{key}")]
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        if len(a) != len(b):
            return [f"{path}: lengths {len(a)} and {len(b)}"]
        return [d for i, pair in enumerate(zip(a, b, strict=True)) for d in differences(*pair, f"{path}.{i}")]
    if isinstance(a, torch.Tensor):
        equal = a.dtype == b.dtype and torch.equal(a, b)
    else:
        equal = a.tobytes() == b.tobytes() if hasattr(a, "tobytes") else a == b
    return [] if equal else [f"{path}: {a!r:.80} and {b!r:.80}"]


def trial(folder: Path, number: int, settings: tuple[str, str], expected: Any) -> tuple[bool, int]:
    """One run, killed up to three times and resumed; whether it ended as expected, and the number of kills."""
    rng, out, kills = random.Random(number), folder / f"run-{number}", 0
    while kills < 3:
        begun = bool(checkpoint_store(out).steps())
        status = child(out, settings, begun, rng)
        rng = random.Random(rng.random())
        if status == 0:
            break
        if status != -signal.SIGKILL:
            return False, kills
        kills += 1
        if not checkpoint_store(out).steps():
            out = folder / f"run-{number}-{kills}"
    else:
        if child(out, settings, bool(checkpoint_store(out).steps()), None) != 0:
            return False, kills
    found = differences(final_state(out), expected)
    print(f"trial {number}: {found[:5]}", file=sys.stderr)
    return not found, kills


def import_everything(settings: tuple[str, str]) -> None:
    """A whole run in this process, so that the children find imported what a run imports along the way."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        resolved = load_text(RECIPE % settings, name="toy", catalogue=catalogue())
        execute(resolved, console=Console(file=io.StringIO()), out=Path(folder) / "run")


def main() -> None:
    """Run the trials."""
    folder, trials, workers, precision = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
    settings = (precision, workers)
    import_everything((precision, "0"))
    if child(folder / "reference", (precision, "0"), False, None) != 0:
        raise SystemExit("the reference run failed")
    expected = final_state(folder / "reference")
    results = [trial(folder, number, settings, expected) for number in range(trials)]
    failed = [number for number, (equal, _) in enumerate(results) if not equal]
    print(json.dumps({"equal": trials - len(failed), "kills": sum(k for _, k in results), "failed": failed}))


if __name__ == "__main__":
    main()
