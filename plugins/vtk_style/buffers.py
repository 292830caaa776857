"""Large tensors that live long, kept out of the heap.

The core keeps glibc from handing blocks back to the system, which spares a run the cost of getting the same pages at
every step. It also means that a hole in the heap stays: a long-lived block that lands behind the passing tensors of a
tile keeps them from being used again. What lives through a stage therefore has a mapping of its own.
"""

from __future__ import annotations

import ctypes
import math
import mmap
import sys

import torch
from torch import Tensor

_SMALL = 1 << 20


def apart(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """A contiguous tensor of zeros, on the CPU in a mapping of its own that goes when the tensor does."""
    count = math.prod(shape)
    size = count * dtype.itemsize
    if device.type != "cpu" or size < _SMALL or not hasattr(mmap, "MAP_PRIVATE"):
        return torch.zeros(shape, dtype=dtype, device=device)
    try:
        block = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(f"can't allocate memory: {size:,} bytes") from error
    return torch.frombuffer(block, dtype=dtype, count=count).view(shape)


def apart_like(tensor: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """:func:`apart` with another tensor's shape and device, and its type unless one is given."""
    return apart(tuple(tensor.shape), dtype or tensor.dtype, tensor.device)


def trim() -> None:
    """Hand free parts of the heap back to the system, where the C library can."""
    if not sys.platform.startswith("linux"):
        return
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)
