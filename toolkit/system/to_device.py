"""Batches to the device, beside its computing."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch

from toolkit.system.nested import map_tensors, tensors_in

__all__ = ["to_device"]


def to_device(value: Any, device: torch.device) -> Any:
    """Tensors of a nested batch on the device; everything else as it is.

    On CUDA they are copied in a stream of their own. The host queues steps faster than the device takes them, so a
    batch in page-locked memory arrives while the step before it is still being computed; the current stream waits for
    it, the host does not.
    """
    if device.type != "cuda":
        return map_tensors(value, lambda tensor: tensor.to(device, non_blocking=True))
    copies, computing = _copy_stream(device), torch.cuda.current_stream(device)
    with torch.cuda.stream(copies):
        moved = map_tensors(value, lambda tensor: tensor.to(device, non_blocking=True))
    computing.wait_stream(copies)
    for tensor in tensors_in(moved):
        if tensor.is_cuda:
            # Its memory belongs to the copying stream, which must not use it again before the step is over.
            tensor.record_stream(computing)
    return moved


@cache
def _copy_stream(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
