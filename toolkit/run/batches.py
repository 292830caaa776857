"""From the loader to the device: copy, transform, and group what makes one optimizer step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from torch import Tensor

from toolkit.data.types import BatchKey
from toolkit.run.step import MicroBatches

if TYPE_CHECKING:
    import torch

    from toolkit.data.types import Data
    from toolkit.run.run import Run


def to_device(value: Any, device: torch.device) -> Any:
    """Tensors of a nested batch moved to the device; everything else as it is."""
    if isinstance(value, Tensor):
        return value.to(device, non_blocking=True)
    if isinstance(value, tuple):
        moved = [to_device(v, device) for v in value]
        return type(value)(*moved) if hasattr(value, "_fields") else tuple(moved)
    if isinstance(value, list):
        return [to_device(v, device) for v in value]
    if isinstance(value, Mapping):
        return {k: to_device(v, device) for k, v in value.items()}
    return value


def ready(batch: Any, data: Data, device: torch.device, key: BatchKey) -> Any:
    """The batch on the device, transformed."""
    if device.type != "cpu":
        batch = to_device(batch, device)
    return batch if data.transform is None else data.transform(batch, key)


def training_batches(run: Run) -> Iterator[Any]:
    """What each optimizer step of the stage consumes, from the run's position on, without end."""
    accumulate = run.recipe.train.accumulate
    position = run.position
    first_pass = position.epoch - position.stage_epoch
    per_pass = len(run.loader)
    if run.stage.steps is None:
        start = position.stage_epoch * per_pass + position.epoch_step * accumulate
    else:
        start = position.stage_step * accumulate
    source = run.loader.batches(first_pass + start // per_pass, start % per_pass)
    groups = source if accumulate == 1 else _groups(source, accumulate, per_pass, start, run.stage.steps is None)
    try:
        for group in groups:
            key = BatchKey(run.seed, position.epoch, position.step, True)
            if isinstance(group, MicroBatches):
                yield MicroBatches(ready(b, run.data, run.device, key) for b in group)
            else:
                yield ready(group, run.data, run.device, key)
    finally:
        source.close()


def _groups(source: Iterator[Any], size: int, per_pass: int, start: int, ends_with_pass: bool) -> Iterator[MicroBatches]:
    """Groups of ``size``; where an epoch is a pass, the last group of a pass is what is left of it."""
    place = start % per_pass
    while True:
        take = min(size, per_pass - place) if ends_with_pass else size
        group = MicroBatches(islice(source, take))
        if not group:
            return
        place = (place + take) % per_pass
        yield group
