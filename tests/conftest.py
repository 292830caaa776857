"""What holds for the whole suite."""

from __future__ import annotations

import os

# Each of the processes that share the cores gets one thread; spinning pools that outnumber the cores slow everything.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
