"""What a loader process does with a finished batch: put it in shared memory itself, where a refusal can be told.

Left to the queue, that happens in a thread of the process whose errors nobody hears of, and the batch is awaited for
ever.
"""

from __future__ import annotations

import dataclasses
import multiprocessing.queues
import os
import traceback
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from toolkit.system.os_errors import SHARED_MEMORY, resource_error, shared_memory_error

__all__ = ["end_on_lost_batches", "is_tight", "require_shared_memory", "share", "shared_bytes"]

_PLENTY = 1 << 30


def share(batch: Any, *, workers: int, prefetch: int) -> Any:
    """The batch, its tensors in shared memory.

    Raises:
        VtkError: there is too little of it (exit code 74).
    """
    try:
        for tensor in _tensors(batch):
            move: Any = tensor.share_memory_
            move()
    except RuntimeError as error:
        if resource_error(error) is None:
            raise
        raise shared_memory_error("", _needs(shared_bytes(batch), workers, prefetch)) from error
    return batch


def shared_bytes(batch: Any) -> int:
    """Bytes of a batch that go through shared memory."""
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in _tensors(batch)}
    return sum(storages.values())


def require_shared_memory(batch_bytes: int, *, workers: int, prefetch: int) -> None:
    """Refuse loader processes that will not have room for the batches that they keep ready.

    Raises:
        VtkError: less is free than they want (exit code 74).
    """
    free = _free()
    if free is not None and batch_bytes * workers * prefetch > free:
        raise shared_memory_error("", _needs(batch_bytes, workers, prefetch))


def end_on_lost_batches() -> None:
    """End this loader process with a traceback where a batch cannot be handed over; call it in the process."""
    queue: Any = multiprocessing.queues.Queue
    queue._on_queue_feeder_error = staticmethod(_give_up)


def is_tight() -> bool:
    """Whether shared memory is so little (as in a container) that batches must be measured against it."""
    free = _free()
    return free is not None and free < _PLENTY


def _give_up(error: BaseException, _batch: Any) -> None:
    traceback.print_exception(error)
    os._exit(1)


def _needs(batch: int, workers: int, prefetch: int) -> str:
    free = _free()
    have = "" if free is None else f", and {_amount(free)} are free"
    return f"{workers} × {prefetch} batches of {_amount(batch)} make {_amount(workers * prefetch * batch)}{have}"


def _free() -> int | None:
    """Bytes of shared memory that are free; None where the system has no such folder."""
    try:
        found = os.statvfs(SHARED_MEMORY)
    except (OSError, AttributeError):
        return None
    return found.f_bavail * found.f_frsize


def _amount(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count < 1e9 else f"{count / 1e9:,.1f} GB"


def _tensors(value: Any) -> Iterator[Tensor]:
    """The CPU tensors of nested containers, data classes and objects with attributes."""
    if isinstance(value, Tensor):
        if value.device.type == "cpu" and value.layout == torch.strided:
            yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from _tensors(getattr(value, field.name))
