"""OpenCV, with its own threads off while the toolkit works: its workers are the one pool; nested pools fight for cores.

Importing this changes nothing for other code in the process.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cv2

__all__ = ["cv2", "one_thread", "single_threaded"]


def one_thread() -> None:
    """Turn OpenCV's threads and its use of OpenCL off in this process."""
    cv2.setNumThreads(0)
    cv2.ocl.setUseOpenCL(False)


@contextmanager
def single_threaded() -> Iterator[None]:
    """Within, OpenCV works in the thread that calls it; then it is set as before."""
    threads, opencl = cv2.getNumThreads(), cv2.ocl.useOpenCL()
    one_thread()
    try:
        yield
    finally:
        cv2.setNumThreads(threads)
        cv2.ocl.setUseOpenCL(opencl)
