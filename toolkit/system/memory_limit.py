"""A limit on the address space (``ulimit -v``), told before PyTorch meets it: by then C++ aborts the process."""

from __future__ import annotations

import subprocess
import sys

from toolkit.errors import ExitCode, VtkError

__all__ = ["address_limit", "memory_hint", "require_loadable_torch"]

_TOO_LITTLE = 3
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
