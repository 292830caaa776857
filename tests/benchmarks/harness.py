"""Side-by-side timing: interleaved repeats, medians, and a guard against whatever else runs on the machine."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

DISTURBED = 0.08
"""Share of one core used outside this process tree above which a repeat does not count."""


def compare(cases: Mapping[str, Callable[[], float]], repeats: int = 7, tries: int | None = None) -> dict[str, float]:
    """Median result of each case over ``repeats`` undisturbed rounds; every round runs each case once.

    Args:
        cases: each returns what it measured, e.g. seconds for a step.
        repeats: rounds that count.
        tries: rounds at most, disturbed ones included (three times ``repeats``); then what there is counts,
            and that is said.
    """
    kept: dict[str, list[float]] = {name: [] for name in cases}
    spare: dict[str, list[float]] = {name: [] for name in cases}
    for case in cases.values():
        case()
    for _ in range(tries or 3 * repeats):
        if min(map(len, kept.values())) >= repeats:
            break
        for name, case in cases.items():
            watch = ForeignLoad()
            value = case()
            (kept if watch.share() < DISTURBED else spare)[name].append(value)
    for name in cases:
        if len(kept[name]) < repeats:
            print(f"note: {name}: only {len(kept[name])} of {repeats} repeats were undisturbed")
            kept[name] += spare[name][: repeats - len(kept[name])]
    return {name: statistics.median(values) for name, values in kept.items()}


class ForeignLoad:
    """CPU time that other processes used since this was made, in cores."""

    def __init__(self) -> None:
        self.busy, self.own, self.clock = _busy(), _own(), time.monotonic()

    def share(self) -> float:
        """Cores kept busy by others, on average."""
        elapsed = max(time.monotonic() - self.clock, 1e-9)
        return max(0.0, (_busy() - self.busy) - (_own() - self.own)) / elapsed


def _busy() -> float:
    try:
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    except OSError:
        return 0.0
    user, nice, system, _idle, _wait, irq, softirq, *_ = map(int, fields)
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def _own() -> float:
    """CPU seconds of this process, of its living descendants, and of those that ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system + _descendants()


def _descendants() -> float:
    stats = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        stats[int(path.parent.name)] = int(fields[1]), sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    family, total = {os.getpid()}, 0.0
    for pid in sorted(stats):
        parent, seconds = stats[pid]
        if parent in family:
            family.add(pid)
            total += seconds
    return total


def table(title: str, columns: list[str], rows: list[list[str]]) -> str:
    """A Markdown table under a heading, with the machine and the versions it was measured on."""
    lines = [f"## {title}", "", machine(), "", "| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def machine() -> str:
    """Processor, cores and versions in one line."""
    import torch

    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    names = [line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith("model name")]
    bf16 = "native bf16" if "avx512_bf16" in info or "amx_bf16" in info else "no bf16 instructions"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    gpu = f", {torch.cuda.get_device_name(0)}" if torch.cuda.is_available() else ""
    return f"{(names or [platform.machine()])[0]} ({bf16}), {cores} cores{gpu}; torch {torch.__version__}."


def save(name: str, text: str) -> None:
    """Write a table into ``tests/benchmarks/results`` and show it."""
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.md").write_text(text)
    print(text)
