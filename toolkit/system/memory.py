"""How much memory is used, how much this process may still take, and what to do where that is too little."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.errors import ExitCode, VtkError
from toolkit.system.memory_limit import memory_hint

if TYPE_CHECKING:
    import torch

__all__ = [
    "cgroup_rooms",
    "free_memory",
    "limit_rooms",
    "machine_room",
    "out_of_memory",
    "peak_memory",
    "require_room",
    "smaller_batches",
    "used_memory",
]

_ASSUMED_MEMORY = 2 << 30
_ROOT = Path("/")
_LIMITS = {
    "cgroup2": (("memory.max", "memory.high"), "memory.current", "inactive_file"),
    "cgroup": (("memory.limit_in_bytes",), "memory.usage_in_bytes", "total_inactive_file"),
}
"""Files of a control group: its limits, what it uses, and the line of ``memory.stat`` that can be reclaimed."""


def free_memory(device: torch.device | None = None) -> int:
    """Bytes that this process may still take on a device, by default the CPU.

    On a GPU what is free there. Otherwise the least of: what the machine has available, the room in the process's own
    control groups (versions 1 and 2) and in those above them, and the room under ``RLIMIT_AS`` and ``RLIMIT_DATA``.
    """
    if device is not None and device.type == "cuda":
        import torch

        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    if device is not None and device.type == "mps":
        import torch

        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    return max(0, min([machine_room(), *cgroup_rooms(), *limit_rooms()]))


def used_memory(device: torch.device) -> int:
    """Bytes that this process has taken on a device: resident ones on the CPU, 0 where that is not known."""
    import torch

    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    if device.type == "mps":
        return torch.mps.driver_allocated_memory()
    return _table(_ROOT / "proc/self/status").get("VmRSS:", 0) * 1024


def peak_memory(device: torch.device) -> int | None:
    """The most bytes that this process has had on a device so far; None where that is not known."""
    import torch

    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if device.type == "mps":
        return torch.mps.driver_allocated_memory()
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def require_room(needed: float, what: str, hint: str) -> None:
    """Refuse what would fill the memory, before it does: a system that is short of it ends processes without a word.

    Args:
        needed: bytes that are about to be taken.
        what: whose they are, as the message begins.
        hint: what makes them fewer.

    Raises:
        VtkError: there is less (exit code 71).
    """
    free = free_memory()
    if needed > free:
        message = f"{what} would take {needed / 1e9:,.1f} GB of memory, of which {free / 1e9:,.1f} GB are free"
        raise VtkError(message, hint=hint, code=ExitCode.OUT_OF_MEMORY)


def out_of_memory(message: str, advice: str, place: str | None = None) -> VtkError:
    """The error for memory that has run out: a limit on it is to be raised first; where there is none, ``advice``."""
    return VtkError(message, place=place, hint=memory_hint(advice), code=ExitCode.OUT_OF_MEMORY)


def smaller_batches(batch_size: int = 16, accumulate: int = 2) -> str:
    """The way out that costs nothing but time: the same steps from batches of half the size."""
    settings = f"--set train.batch_size={max(batch_size // 2, 1)} --set train.accumulate={2 * accumulate}"
    return f"Take smaller batches with more accumulation, e.g. {settings}"


def machine_room(root: Path = _ROOT) -> int:
    """What the machine can give without swapping; half of its memory where it does not say, else 2 GiB."""
    available = _table(root / "proc/meminfo").get("MemAvailable:")
    if available is not None:
        return available * 1024
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (AttributeError, ValueError, OSError):
        return _ASSUMED_MEMORY


def cgroup_rooms(root: Path = _ROOT) -> Iterator[int]:
    """The room in each control group that binds this process and has a limit, page cache that it would drop included.

    ``root`` is where the file system begins.
    """
    own = _own_groups(root)
    for kind, above, mount in _mounts(root):
        inner = own.get(kind, "/")
        path = Path(inner).relative_to(above) if Path(inner).is_relative_to(above) else Path()
        # A container may see a path from outside its own tree; then its group is the mount itself.
        folder = mount / path if ".." not in path.parts and (mount / path).is_dir() else mount
        for group in [folder, *folder.parents]:
            yield from _room(group, kind)
            if group == mount:
                break


def limit_rooms() -> Iterator[int]:
    """The room under the limits that the shell's ``ulimit`` sets."""
    try:
        import resource
    except ImportError:
        return
    status = _table(_ROOT / "proc/self/status")
    for limit, line in ((resource.RLIMIT_AS, "VmSize:"), (resource.RLIMIT_DATA, "VmData:")):
        soft, _ = resource.getrlimit(limit)
        if soft != resource.RLIM_INFINITY and line in status:
            yield soft - status[line] * 1024


def _own_groups(root: Path) -> dict[str, str]:
    """The process's path in the hierarchy of each kind."""
    found = {}
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if not controllers:
            found["cgroup2"] = path
        elif "memory" in controllers.split(","):
            found["cgroup"] = path
    return found


def _mounts(root: Path) -> Iterator[tuple[str, str, Path]]:
    """Kind, path of its top within the hierarchy, and place of each mounted hierarchy that may limit memory."""
    for line in _lines(root / "proc/self/mountinfo"):
        left, _, right = line.partition(" - ")
        kind, _, options = right.split(" ", 2)
        if kind == "cgroup2" or (kind == "cgroup" and "memory" in options.split(",")):
            fields = left.split()
            yield kind, fields[3], root / fields[4].lstrip("/")


def _room(group: Path, kind: str) -> Iterator[int]:
    limits, usage, reclaimable = _LIMITS[kind]
    used = _number(group / usage)
    for name in limits:
        limit = _number(group / name)
        if limit is not None and used is not None:
            yield limit - used + _table(group / "memory.stat").get(reclaimable, 0)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def _table(path: Path) -> dict[str, int]:
    pairs = [line.split()[:2] for line in _lines(path) if len(line.split()) >= 2]
    return {name: int(value) for name, value in pairs if value.isdigit()}


def _number(path: Path) -> int | None:
    lines = _lines(path)
    return int(lines[0]) if lines and lines[0].isdigit() else None
