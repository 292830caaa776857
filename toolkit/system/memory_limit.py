"""A limit on the address space (``ulimit -v``), told before PyTorch meets it: by then C++ aborts the process."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

from toolkit.errors import ExitCode, VtkError

__all__ = ["address_limit", "free_memory", "memory_hint", "require_loadable_torch", "require_room"]

_TOO_LITTLE = 3
_ASSUMED_MEMORY = 2 << 30
_ROOM = 512 << 20  # of what is loaded beside it, OpenCV above all
_TRY = f"""
import os, resource
soft, most = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_AS, (max(soft - {_ROOM}, 0), most))
try:
    import torch
except MemoryError:
    os._exit({_TOO_LITTLE})
except (ImportError, OSError, RuntimeError) as error:
    os._exit({_TOO_LITTLE} if "failed to map" in str(error) or "memory" in str(error) else 1)
os._exit(0)
"""


def address_limit() -> int | None:
    """Bytes of address space that this process may have; None where there is no limit."""
    try:
        import resource
    except ImportError:
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if limit == resource.RLIM_INFINITY else limit


def memory_hint(otherwise: str) -> str:
    """What to do about too little memory: raise the limit on it where there is one, and else what is given."""
    limit = address_limit()
    if limit is None:
        return otherwise
    return f"This process may have {limit / 1e6:,.0f} MB of address space: raise that (ulimit -v unlimited)."


def require_loadable_torch() -> None:
    """Under a limit, see in another process whether PyTorch can be loaded at all; without one, nothing is done.

    Raises:
        VtkError: it cannot (exit code 71).
    """
    if address_limit() is None or "torch" in sys.modules:
        return
    tried = subprocess.run([sys.executable, "-c", _TRY], capture_output=True, check=False).returncode
    if tried < 0 or tried == _TOO_LITTLE:
        raise VtkError(
            "too little memory to load PyTorch and what goes with it", hint=memory_hint(""), code=ExitCode.OUT_OF_MEMORY
        )


def free_memory() -> int:
    """Bytes that this process may still take, as far as the system tells; 2 GiB where it does not."""
    found = []
    with contextlib.suppress(OSError, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        found += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable")]
    with contextlib.suppress(OSError, ValueError):
        group = Path("/sys/fs/cgroup")
        found.append(int((group / "memory.max").read_text()) - int((group / "memory.current").read_text()))
    return max(0, min(found)) if found else _ASSUMED_MEMORY


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
