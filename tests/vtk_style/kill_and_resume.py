"""Kills style-transfer runs at seeded random points, resumes them, and compares them with a run that was left alone.

    python kill_and_resume.py FOLDER TRIALS PRECISION

The imports are paid once: every run is a forked child that dies by SIGKILL, after an evaluation or within a save, and
that draws no report. Prints one JSON object: how many trials ended with the checkpoint and the picture of the
undisturbed run, to the bit, and how many kills there were.
"""

from __future__ import annotations

import io
import json
import os
import random
import signal
import sys
from pathlib import Path

import torch
from rich.console import Console

from toolkit.recipe.load import load_text
from toolkit.run import runner
from toolkit.run.checkpoint.policy import checkpoint_store
from toolkit.run.finish import Finished
from toolkit.types.results import Result
from vtk_style.objective import Objective

RECIPE = """
task: style
seed: 5
data: {content: "sklearn:china.jpg", styles: ["sklearn:flower.jpg"]}
model: {weights: random, content_layers: [conv_2], style_layers: [conv_1, conv_2, conv_3]}
loss: {tv: 1.0}
init: {name: statistics}
pyramid: {size: 64, steps: 24, levels: 2}
memory: {tile: 32}
train: {device: cpu, precision: %s}
output: {preview_every: 4}
extensions: {tensorboard: false}
"""


def arm(rng: random.Random) -> None:
    """Choose the point at which this process kills itself."""
    kind = rng.choice(["evaluation", "fsync", "rename"])
    countdown = [rng.randint(1, {"evaluation": 22, "fsync": 40, "rename": 12}[kind])]

    def tick() -> None:
        countdown[0] -= 1
        if countdown[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    if kind == "evaluation":
        gradient = Objective.gradient
        Objective.gradient = lambda *given: (tick(), gradient(*given))[1]  # type: ignore[method-assign]
    elif kind == "fsync":
        fsync = os.fsync
        os.fsync = lambda handle: (tick(), fsync(handle))[1]
    else:
        rename = Path.rename
        Path.rename = lambda self, target: (tick(), rename(self, target))[1]  # type: ignore[method-assign, assignment, return-value]


def child(out: Path, resume: bool, rng: random.Random | None) -> int:
    """Run in a forked child; its exit status, negative for a signal."""
    pid = os.fork()
    if pid == 0:
        torch.set_num_threads(1)
        runner.finish = lambda run: Finished(Result(), None, None)
        if rng is not None:
            arm(rng)
        try:
            recipe = load_text(RECIPE % sys.argv[3], name="style")
            runner.execute(recipe, console=Console(file=io.StringIO()), out=out, resume=resume)
        except BaseException as error:
            print(f"child: {error!r}", file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def ending(out: Path) -> tuple[bytes, ...]:
    """What a run ended with: the image, the optimizer, and the picture."""
    tree, _, _ = checkpoint_store(out / "").load_latest()
    image = tree["model"]["image"].numpy().tobytes()
    states = [v for state in tree["optimizer"]["state"].values() for v in [state["g"], *state["s"], *state["y"]]]
    return image, b"".join(v.float().numpy().tobytes() for v in states), (out / "result.png").read_bytes()


def trial(folder: Path, number: int, wanted: tuple[bytes, ...]) -> tuple[bool, int]:
    """Whether a run that was killed again and again ends as wanted, and how often it was killed."""
    rng, out, kills = random.Random(number), folder / f"trial-{number}", 0
    while kills < 4:
        resume = (out / "checkpoints").is_dir() and bool(checkpoint_store(out).steps())
        if not resume and out.exists():
            out = out.with_name(out.name + "x")
        status = child(out, resume, rng)
        if status == 0:
            break
        kills += status == -signal.SIGKILL
        assert status == -signal.SIGKILL, status
    else:
        resume = bool(checkpoint_store(out).steps())
        assert child(out if resume else out.with_name(out.name + "y"), resume, None) == 0
        out = out if resume else out.with_name(out.name + "y")
    return ending(out) == wanted, kills


def main(folder: Path, trials: int) -> None:
    """Compare every trial with the undisturbed run."""
    straight = folder / "straight"
    assert child(straight, False, None) == 0
    results = [trial(folder, number, ending(straight)) for number in range(trials)]
    print(json.dumps({"equal": sum(same for same, _ in results), "kills": sum(kills for _, kills in results)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
