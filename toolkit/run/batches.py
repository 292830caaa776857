"""From the loader to the device: copy, transform, and group what makes one optimizer step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count, islice
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
    position, accumulate = run.position, run.recipe.train.accumulate
    for group in _groups(run, accumulate):
        key = BatchKey(run.seed, position.epoch, position.step, True)
        if accumulate == 1:
            yield ready(group[0], run.data, run.device, key)
        else:
            yield MicroBatches(ready(batch, run.data, run.device, key) for batch in group)


def _groups(run: Run, size: int) -> Iterator[list[Any]]:
    """``size`` batches at a time; where an epoch is a pass, the last group of a pass is what is left of it."""
    position = run.position
    first_pass = position.epoch - position.stage_epoch
    steps = position.stage_step if run.stage.steps is not None else position.epoch_step
    done = 0 if run.stage.steps is not None else position.stage_epoch
    skipped, start = divmod(steps * size, len(run.loader))
    for number in count(first_pass + done + skipped):
        batches = run.loader.batches(number, start)
        start = 0
        while group := list(islice(batches, size)):
            yield group
