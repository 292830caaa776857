"""Lets every call on a disk fail, one trial each, in every command that writes, and looks at what is left.

    python fault_trials.py FOLDER [--every N] [--jobs N] [--only COMMAND]

The imports are paid once: each trial is a forked child. A command runs once whole, which counts its calls on files;
then for each call (or every N-th of each kind) the disk fails there once, and, in another trial, from there on. Right
is an outcome in which

- the exit code says what the disk did (71, 73, 74; 65 where single files are told), with a message, no traceback, soon;
- with exit code 0 every output is what the undisturbed command wrote, or the refused file is named as left out;
- ``status.json`` says how the run ended, wherever the disk still takes a rename, or is as it was before;
- each checkpoint and each file that was there before is as it was, and ``--resume`` ends with the undisturbed weights.

Prints the wrong outcomes on stderr and a table in Markdown on stdout; exits with 1 where an outcome was wrong.
"""

from __future__ import annotations

import argparse
import errno
import hashlib
import json
import os
import re
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from fault_injection import ONCE, ONWARDS, Call, Disk, Fault, watch_exchange
from PIL import Image

from toolkit.cli import main as vtk
from toolkit.errors import ExitCode
from toolkit.run import finish
from toolkit.run.checkpoint.policy import checkpoint_store

RECIPE = """
task: classification
name: tiny
seed: 3
data: {source: {name: folder, root: photos}, image_size: 8, resize: 8, augment: standard}
model: {name: cnn, channels: [4], hidden: [8]}
train: {epochs: 2, batch_size: 4, precision: fp32, device: cpu}
loader: {workers: 0}
"""
STYLE = """
task: style
name: tiny
data: {content: photos/train/ant/0.png, styles: [photos/train/bee/0.png]}
model: {weights: random, content_layers: [conv_1], style_layers: [conv_1]}
pyramid: {size: 16, steps: 2, levels: 1}
train: {device: cpu, precision: fp32}
"""
Outcome = tuple[int, list[str]]
"""The exit code, and what was wrong."""
LONGEST = 120
# These tell of each file that they cannot read, and go on with the others.
PER_FILE = ("predict", "check", "eval")
# What times may change in an output.
TIMES = re.compile(rb"read and compared in [\d.,]+ .?s \([\d,]+/s\)")


@dataclass(frozen=True)
class Command:
    """A command whose disk fails.

    Args:
        words: what follows ``vtk``.
        outputs: files that are whole, and as ever, where it exits with 0.
        run: the directory of the run that it makes or goes on with.
        begins_with: what lies in the folder beforehand: ``finished``, ``stopped`` or nothing.
    """

    words: tuple[str, ...]
    outputs: tuple[str, ...] = ("stdout",)
    run: str | None = None
    begins_with: str | None = None


MODEL = ("run/bundle/model.safetensors",)
COMMANDS = {
    "run": Command(("run", "tiny.yaml", "--out", "run"), MODEL, "run"),
    "resume": Command(("run", "run", "--resume"), MODEL, "run", "stopped"),
    "eval": Command(("eval", "run", "--json", "--report", "judged"), ("stdout",), None, "finished"),
    "predict --csv": Command(("predict", "run", "photos", "--csv"), ("stdout",), None, "finished"),
    "predict --json": Command(("predict", "run", "photos", "--json"), ("stdout",), None, "finished"),
    "check --html": Command(("check", "photos", "--html", "page.html"), ("page.html",)),
    "check --report": Command(("check", "tiny.yaml", "--report")),
    "style": Command(("run", "style.yaml", "--out", "run", "--output", "painted.png"), ("painted.png",), "run"),
}


@dataclass
class Tally:
    """A command's row of the table."""

    calls: list[Call]
    tried: int = 0
    right: int = 0
    ends: Counter[int] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)


def call(folder: Path, words: Sequence[str], disk: Disk | None = None, *, with_report: bool = True) -> int:
    """``vtk`` in a forked child in ``folder``; its exit code, negative for a signal. Its streams are files there."""
    pid = os.fork()
    if pid == 0:
        os.chdir(folder)
        signal.alarm(LONGEST)
        for number, name in ((1, "stdout"), (2, "stderr")):
            handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(handle, number)
            os.close(handle)
        code = 0
        try:
            if disk is not None:
                disk.begin()
            if not with_report:  # its figures are most of a tiny run's time
                finish.make_report = lambda *given, **options: None  # type: ignore[assignment]
            code = vtk(list(words))
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def lay_out(folder: Path) -> None:
    """Pictures of two classes, the recipes, and somebody else's run beside."""
    rng = np.random.default_rng(0)
    for part, count in (("train", 3), ("val", 2)):
        for number, name in enumerate(("ant", "bee")):
            place = folder / "photos" / part / name
            place.mkdir(parents=True)
            for index in range(count):
                pixels = rng.integers(0, 120, (16, 16, 3)) + 100 * number
                Image.fromarray(pixels.astype(np.uint8)).save(place / f"{index}.png")
    (folder / "tiny.yaml").write_text(RECIPE)
    (folder / "style.yaml").write_text(STYLE)
    (folder / "another").mkdir()
    (folder / "another/status.json").write_text("{}")


def listing(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file, by its path."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return {str(path.relative_to(folder)): digest(path) for path in files}


def digest(path: Path) -> str:
    """The SHA-256 of a file, whatever the times that it tells."""
    return hashlib.sha256(TIMES.sub(b"", path.read_bytes())).hexdigest()


def stopped_run(folder: Path) -> None:
    """A run that is killed at its first row after the first checkpoint."""
    disk = Disk(str(folder))

    def at(number: int) -> None:
        done = disk.calls[number]
        kept = any(c.kind == "rename" and "checkpoints/.step-" in c.path for c in disk.calls)
        if kept and done.path.endswith("metrics.jsonl"):
            os.kill(os.getpid(), signal.SIGKILL)

    disk.at = at
    assert call(folder, COMMANDS["run"].words, disk) == -signal.SIGKILL
    assert checkpoint_store(folder / "run").steps()


class Trials:
    """The trials of one command.

    Args:
        base: what lies in each trial's folder beforehand.
        work: where trials are made.
    """

    def __init__(self, command: Command, base: Path, work: Path) -> None:
        self.command, self.base, self.work = command, base, work
        self.before = listing(base)
        whole = self.fresh("whole")
        self.calls = self._counted(whole)
        self.expected = listing(whole)
        self.rows = self._rows(whole)
        shutil.rmtree(whole)

    def fresh(self, name: str) -> Path:
        """A folder for one trial."""
        folder = self.work / name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.base, folder)
        os.environ["VTK_CACHE"] = str(folder / "cache")
        return folder

    def faults(self, every: int) -> Iterator[Fault]:
        """A fault at each call, or at every N-th of each kind: once, and from then on."""
        seen: Counter[str] = Counter()
        for number, made in enumerate(self.calls):
            turn = seen[made.kind]
            seen[made.kind] += 1
            if turn % every:
                continue
            codes = ONCE[made.kind]
            yield Fault(number, codes[turn // every % len(codes)])
            lasting = [code for code in ONWARDS if code in codes]
            yield Fault(number, lasting[(turn // every + 1) % len(lasting)], onwards=True)

    def trial(self, fault: Fault) -> Outcome:
        """One command on a disk that fails."""
        folder = self.fresh(f"trial-{os.getpid()}")
        code = call(folder, self.command.words, Disk(str(folder), fault))
        wrong = list(self._faults_of(folder, code, fault))
        shutil.rmtree(folder, ignore_errors=True)
        return code, wrong

    def _counted(self, folder: Path) -> list[Call]:
        log = self.work / "calls"
        disk = Disk(str(folder))
        pid = os.fork()
        if pid == 0:
            os._exit(_counting(folder, self.command.words, disk, log))
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, (folder / "stderr").read_text()
        return [Call(*entry) for entry in json.loads(log.read_text())]

    def _faults_of(self, folder: Path, code: int, fault: Fault) -> Iterator[str]:
        said = (folder / "stderr").read_text(errors="replace")
        if code not in self._allowed(fault):
            yield f"exit {code}: {said[-300:].strip()}"
        if "Traceback (most" in said:
            yield "traceback: " + said.strip().splitlines()[-1][:200]
        if code == 0:
            found = listing(folder)
            differ = [n for n in self.command.outputs if found.get(n) != self.expected[n]]
            yield from (f"exit 0 and {n} differs" for n in differ if not self._named(folder / n, fault))
        yield from self._lost(folder)
        if self.command.run is not None:
            yield from self._of_the_run(folder / self.command.run, code, fault)

    def _allowed(self, fault: Fault) -> set[int]:
        by_code = {errno.EROFS: ExitCode.CANNOT_CREATE, errno.EMFILE: ExitCode.OUT_OF_MEMORY}
        each_file = {ExitCode.DATA} if self.command.words[0] in PER_FILE else set()
        return {ExitCode.OK, by_code.get(fault.code, ExitCode.IO), *each_file}

    def _named(self, output: Path, fault: Fault) -> bool:
        """Whether a command that leaves out what cannot be read says which file was refused."""
        name = "/".join(Path(self.calls[fault.number].path).parts[-2:]).encode()
        said = [path.read_bytes() for path in (output, output.with_name("stderr")) if path.is_file()]
        return self.command.words[0] in PER_FILE and any(name in text for text in said)

    def _lost(self, folder: Path) -> Iterator[str]:
        """Files of before; a run that goes on writes its own anew, but for checkpoints."""
        own = f"{self.command.run}/"
        for name, content in self.before.items():
            path = folder / name
            if name in ("stdout", "stderr") or (name.startswith(own) and "/checkpoints/" not in name):
                continue
            if name.startswith(own) and checkpoint_store(folder / "run").steps() and not path.parent.exists():
                continue  # newer checkpoints took its place
            if not path.is_file() or digest(path) != content:
                yield f"lost or changed: {name}"

    def _of_the_run(self, run: Path, code: int, fault: Fault) -> Iterator[str]:
        store = checkpoint_store(run)
        for step in store.steps():
            try:
                store.verify(step)
            except Exception as error:
                yield f"checkpoint {step}: {error}"
        told = json.loads((run / "status.json").read_text())["status"] if (run / "status.json").exists() else None
        mended = not (fault.onwards and fault.code in (errno.EROFS, errno.EIO))
        unheard = told == "finished" and "standard output" in (run.parent / "stderr").read_text()
        if (told == "finished") != (code == 0) and not unheard:
            yield f"status {told} and exit {code}"
        as_before = self.before.get(f"{run.name}/status.json") == listing(run).get("status.json")
        if told == "running" and mended and not as_before:
            yield "status running"
        if code != 0 and store.steps():
            yield from self._resumed(run)

    def _resumed(self, run: Path) -> Iterator[str]:
        code = call(run.parent, ("run", run.name, "--resume"), with_report=False)
        if code != 0:
            yield f"resume: exit {code}: {(run.parent / 'stderr').read_text()[-300:]}"
            return
        found = listing(run.parent)
        yield from (f"resume: {n} differs" for n in self.command.outputs if found.get(n) != self.expected[n])
        if self._rows(run.parent) != self.rows:
            yield "resume: metrics.jsonl differs"

    def _rows(self, folder: Path) -> list[dict[str, object]]:
        path = folder / (self.command.run or "") / "metrics.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [{k: v for k, v in json.loads(line).items() if k not in {"seconds", "time", "at"}} for line in lines]


def _counting(folder: Path, words: Sequence[str], disk: Disk, log: Path) -> int:
    """The command, in this process; its calls go to ``log``."""
    os.chdir(folder)
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    disk.begin()
    code = vtk(list(words))
    log.write_text(json.dumps([[c.kind, c.path] for c in disk.calls]))
    return code


def spread(
    jobs: int, work: Callable[[Fault], tuple[int, list[str]]], faults: Sequence[Fault]
) -> list[tuple[int, list[str]]]:
    """The outcome of each trial, in as many processes as ``jobs``."""
    outcomes: list[tuple[int, list[str]]] = [(0, [])] * len(faults)
    pipes = []
    for job in range(jobs):
        read, write = os.pipe()
        if os.fork() == 0:
            os.close(read)
            with os.fdopen(write, "w") as out:
                for index in range(job, len(faults), jobs):
                    print(json.dumps([index, *work(faults[index])]), file=out, flush=True)
            os._exit(0)
        os.close(write)
        pipes.append(read)
    for read in pipes:
        with os.fdopen(read) as lines:
            for line in lines:
                index, code, wrong = json.loads(line)
                outcomes[index] = (code, wrong)
        os.wait()
    return outcomes


def bases(work: Path) -> dict[str | None, Path]:
    """What commands begin with; on the way, everything that they import is imported here."""
    made: dict[str | None, Path] = {None: work / "nothing", "stopped": work / "stopped", "finished": work / "finished"}
    lay_out(work / "nothing")
    for name in ("stopped", "finished"):
        shutil.copytree(work / "nothing", made[name])
    os.environ["VTK_CACHE"] = str(work / "cache")
    os.chdir(made["finished"])
    keep = os.dup(1)
    os.dup2(2, 1)
    shutil.copytree(work / "nothing", work / "warm")
    for command in COMMANDS.values():
        os.chdir(made["finished"] if command.begins_with == "finished" or command is COMMANDS["run"] else work / "warm")
        if command.begins_with != "stopped":
            assert vtk([*command.words]) == 0, command
    sys.stdout.flush()
    os.dup2(keep, 1)
    shutil.rmtree(made["finished"] / "judged")
    watch_exchange()
    stopped_run(made["stopped"])
    return made


def trials_of(name: str, made: dict[str | None, Path], work: Path, every: int, jobs: int) -> Tally:
    """Every trial of one command; wrong outcomes are told on stderr."""
    command = COMMANDS[name]
    trials = Trials(command, made[command.begins_with], work)
    tally = Tally(trials.calls)
    faults = list(trials.faults(every))
    for fault, (code, wrong) in zip(faults, spread(jobs, trials.trial, faults), strict=True):
        made_call = trials.calls[fault.number]
        tally.tried += 1
        tally.right += not wrong
        tally.ends[code] += 1
        tally.kinds[made_call.kind] += 1
        if wrong:
            when = "from" if fault.onwards else "at"
            place = os.path.relpath(made_call.path, work / "whole")
            what = f"{errno.errorcode[fault.code]} {when} call {fault.number} ({made_call.kind} {place})"
            print(f"vtk {name}: {what}: exit {code}: {'; '.join(wrong)}", file=sys.stderr, flush=True)
    return tally


def table(tallies: dict[str, Tally]) -> str:
    """The rows in Markdown."""
    lines = ["| command | calls | points tried | right outcomes | exit codes |", "|---|---|---|---|---|"]
    for name, tally in tallies.items():
        codes = " · ".join(f"{code}: {count:,}" for code, count in sorted(tally.ends.items()))
        lines.append(f"| `{name}` | {len(tally.calls):,} | {tally.tried:,} | {tally.right:,} | {codes} |")
    calls, tried, right = (
        sum(v) for v in zip(*((len(t.calls), t.tried, t.right) for t in tallies.values()), strict=True)
    )
    lines.append(f"| all | {calls:,} | {tried:,} | {right:,} | |")
    return "\n".join(lines)


def main() -> int:
    """Run the trials."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", action="append", choices=list(COMMANDS))
    given = parser.parse_args()
    torch.set_num_threads(1)
    work = given.folder.resolve()
    work.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    made = bases(work)
    print(f"ready after {time.monotonic() - begun:.1f} s", file=sys.stderr)
    tallies = {name: trials_of(name, made, work, given.every, given.jobs) for name in given.only or COMMANDS}
    print(table(tallies))
    print(f"{time.monotonic() - begun:.0f} s", file=sys.stderr)
    return int(any(tally.right < tally.tried for tally in tallies.values()))


if __name__ == "__main__":
    raise SystemExit(main())
