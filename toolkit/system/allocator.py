"""Settings of the process that cost nothing and make training faster."""

from __future__ import annotations

import ctypes
import os
import sys

from toolkit.system.home import find_place_for_plots

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4


def tune_environment() -> None:
    """Settings that libraries read when they are loaded; call before torch and albumentations are imported.

    OpenMP threads that spin at barriers slow one another down when something else needs a core, so they spin briefly.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    find_place_for_plots()


def tune_allocator() -> bool:
    """Keep glibc from handing activation buffers back to the system at every step; True where it could be set.

    The environment variables ``MALLOC_MMAP_MAX_``, ``MALLOC_TRIM_THRESHOLD_`` and ``MALLOC_TOP_PAD_`` win over this.
    """
    if not sys.platform.startswith("linux") or any(name.startswith("MALLOC_") for name in os.environ):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    settings = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 2**31 - 1), (_M_TOP_PAD, 64 << 20))
    return all(mallopt(key, value) for key, value in settings)
