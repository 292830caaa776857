"""From the loader to the device: copy, transform, and group what makes one optimizer step."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from toolkit.data.loading.bad_images import Incomplete, is_empty, without_samples
from toolkit.hooks.results import wrong_answer
from toolkit.run.step import MicroBatches
from toolkit.system.to_device import to_device
from toolkit.types.data import BatchKey

if TYPE_CHECKING:
    import torch

    from toolkit.data.loading.loaders import Loader
    from toolkit.run.run import Run
    from toolkit.types.data import Data


def prepare_batch(batch: Any, data: Data, device: torch.device, key: BatchKey) -> Any:
    """The batch on the device, transformed; as it is where all of its samples were left out."""
    if is_empty(batch):
        return batch
    if device.type != "cpu":
        batch = to_device(batch, device)
    if data.transform is None:
        return batch
    changed = data.transform(batch, key)
    if changed is None:
        raise wrong_answer(f"Data.transform, which {data.owner} gave, returned None", "it must return the batch")
    return changed


@contextmanager
def reraise_worker_deaths(*loaders: Loader | None) -> Iterator[None]:
    """Within, the death of a loader's process is a ``VtkError`` that names the files it was at."""
    try:
        yield
    except RuntimeError as error:
        deaths = (loader.death(error) for loader in loaders if loader is not None)
        death = next((found for found in deaths if found is not None), None)
        if death is None:
            raise
        raise death from error


def is_nothing(batch: Any) -> bool:
    """Whether a step has no samples, because none of its images can be read."""
    return is_empty(batch) or (isinstance(batch, MicroBatches) and not batch)


def with_samples(batches: Iterator[Any]) -> Iterator[Any]:
    """The steps that have samples."""
    return (batch for batch in batches if not is_nothing(batch))


def training_batches(run: Run) -> Generator[Any, None, None]:
    """What each optimizer step of the stage consumes, from the run's position on, without end.

    Where no image of it can be read, a step gets a batch, or a group of batches, without samples.
    """
    position, accumulate = run.position, run.recipe.train.accumulate
    counts_steps = run.stage.steps is not None
    first_pass = position.epoch - position.stage_epoch + (0 if counts_steps else position.stage_epoch)
    done = (position.stage_step if counts_steps else position.epoch_step) * accumulate
    passes, start = divmod(done, len(run.loader))
    with closing(run.loader.batches(first_pass + passes, start)) as loaded:
        source = _learnable(run, loaded)
        groups = (
            source if accumulate == 1 else _groups(source, accumulate, None if counts_steps else len(run.loader), start)
        )
        if run.data.transform is None and run.device.type == "cpu":
            yield from groups
        for group in groups:
            key = BatchKey(run.seed, position.epoch, position.step, True)
            if isinstance(group, MicroBatches):
                parts = [(part, b) for part, b in enumerate(group) if not is_empty(b)]
                yield MicroBatches(prepare_batch(b, run.data, run.device, replace(key, part=part)) for part, b in parts)
            else:
                yield prepare_batch(group, run.data, run.device, key)


def _learnable(run: Run, batches: Iterator[Any]) -> Iterator[Any]:
    """The batches; one that lacks images and has a single other left is made empty where the model has batch norm.

    The loader never makes a batch of one sample either: batch norm cannot learn from it.
    """
    from torch.nn.modules.batchnorm import _BatchNorm

    lonely = any(isinstance(module, _BatchNorm) for module in run.model.modules())
    said = False
    for batch in batches:
        if lonely and isinstance(batch, Incomplete) and len(batch.places) == 1:
            if not said:
                run.say(
                    "note: of some batches one image alone can be read; batch norm cannot learn from it, and it waits"
                )
            said, batch = True, without_samples(batch)
        yield batch


def _groups(source: Iterator[Any], size: int, per_pass: int | None, start: int) -> Iterator[MicroBatches]:
    """``size`` batches at a time; where an epoch is a pass, its last group is what is left of it."""
    place = start
    while True:
        take = size if per_pass is None else min(size, per_pass - place)
        yield MicroBatches(islice(source, take))
        place = 0 if place + take == per_pass else place + take
