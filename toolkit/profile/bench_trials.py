"""Other settings, measured beside the recipe's own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from toolkit.data.loading.loaders import usable_cores
from toolkit.profile.bench_rates import data_rate, model_rate
from toolkit.profile.bench_result import Bench, Rate, Trial
from toolkit.run.loop import samples_in, training_loader
from toolkit.run.meters import batch_length
from toolkit.run.precision import precision_formats
from toolkit.run.setup import place_model
from toolkit.run.step import MicroBatches
from toolkit.system.memory import free_memory, peak_memory
from toolkit.system.nested import map_tensors
from toolkit.system.precision import PrecisionPlan, auto_precision

if TYPE_CHECKING:
    from toolkit.run.run import Run

_NEAR = 1.5
_STEPS = 3


@dataclass
class _Candidate:
    """A setting that might help: ``measure(seconds)`` gives its rate, and takes ``cost`` seconds at least."""

    side: str
    setting: str
    cost: float
    measure: Callable[[float], Rate]


def try_others(run: Run, batch: Any, found: Bench, seconds: float, say: Callable[[str], None]) -> None:
    """Measure other settings of the slower side, and of the other where it is nearly as slow."""
    candidates = list(_candidates(run, batch, found))
    deadline = time.perf_counter() + seconds
    for number, candidate in enumerate(candidates):
        share = (deadline - time.perf_counter()) / (len(candidates) - number)
        if candidate.cost > max(share, seconds / 2):
            found.unknown[candidate.setting] = f"takes {candidate.cost:.0f} s to measure; give --seconds more"
            continue
        say(candidate.setting)
        own: Rate = getattr(found, candidate.side)
        try:
            rate = candidate.measure(max(share, 0.0))
        except torch.OutOfMemoryError:
            found.unknown[candidate.setting] = "it does not fit into the device's memory"
            continue
        found.trials.append(Trial(candidate.side, candidate.setting, rate.per_second, own.per_second))


def _candidates(run: Run, batch: Any, found: Bench) -> Iterator[_Candidate]:
    assert found.data is not None
    assert found.model is not None
    data, model = found.data.per_second, found.model.per_second
    if model < _NEAR * data:
        yield from _model_settings(run, batch, found)
    if data < _NEAR * model:
        yield from _worker_settings(run, found)


def _model_settings(run: Run, batch: Any, found: Bench) -> Iterator[_Candidate]:
    assert found.model is not None
    cost = _STEPS * found.samples / found.model.per_second

    best, why = auto_precision(run.device, precision_formats(run.recipe))
    # Where the recipe has the table's format already, fp32 shows whether the table is right about this machine.
    other = PrecisionPlan("fp32" if best == found.precision else best, why, run.device.type)
    if other.name != found.precision:
        setting = f"train.precision={other.name}"
        yield _Candidate("model", setting, cost, lambda s: _in_precision(run, batch, other, s))
    if not run.recipe.train.channels_last and any(isinstance(m, nn.Conv2d) for m in run.model.modules()):
        yield _Candidate("model", "train.channels_last=true", cost, lambda s: _channels_last(run, batch, s))
    size = run.recipe.train.batch_size
    setting = f"train.batch_size={2 * size}"
    if not _roomy(run.device):
        found.unknown[setting] = "too little memory is free to try"
    elif samples_in(twice := doubled(batch)) == 2 * found.samples:
        yield _Candidate("model", setting, 2 * cost, lambda s: model_rate(run, twice, s))


def _worker_settings(run: Run, found: Bench) -> Iterator[_Candidate]:
    assert found.data is not None
    own, cores = run.loader, usable_cores()
    cost = _STEPS * found.samples / found.data.per_second
    safe = bool(getattr(run.data.train, "thread_safe", False))
    if own.count and own.kind == "process" and safe:
        yield _Candidate("data", "loader.kind=thread", cost, partial(_loader_rate, run, kind="thread"))
    if own.count == 0 and not safe:
        return  # processes would have to be started, which says little in so short a time
    for count in sorted({0, max(1, cores // 2), cores, 2 * cores} - {own.count}):
        yield _Candidate("data", f"loader.workers={count}", cost, partial(_loader_rate, run, workers=count))


def _loader_rate(run: Run, seconds: float, **changes: Any) -> Rate:
    with training_loader(run, run.recipe.loader.model_copy(update=changes)) as loader:
        return data_rate(run, loader, seconds)


@contextmanager
def _precision(run: Run, plan: PrecisionPlan) -> Iterator[None]:
    before = run.precision, run.scaler
    run.precision, run.scaler = plan, plan.scaler()
    try:
        yield
    finally:
        run.precision, run.scaler = before


def _in_precision(run: Run, batch: Any, plan: PrecisionPlan, seconds: float) -> Rate:
    with _precision(run, plan):
        return model_rate(run, batch, seconds)


def _channels_last(run: Run, batch: Any, seconds: float) -> Rate:
    def convert(value: Tensor) -> Tensor:
        return value.contiguous(memory_format=torch.channels_last) if value.dim() == 4 else value

    with _layout(run.model, run.device):
        return model_rate(run, _changed(batch, convert), seconds)


@contextmanager
def _layout(model: nn.Module, device: torch.device) -> Iterator[None]:
    """The model in channels-last layout for a while; a trial after it is compared with the model as it was."""
    before = [tensor.stride() for tensor in (*model.parameters(), *model.buffers())]
    place_model(model, device, True)
    try:
        yield
    finally:
        for tensor, strides in zip([*model.parameters(), *model.buffers()], before, strict=True):
            if tensor.stride() != strides:
                tensor.data = torch.empty_strided(
                    tensor.shape, strides, dtype=tensor.dtype, device=tensor.device
                ).copy_(tensor.data)


def doubled(batch: Any) -> Any:
    """A batch of twice as many samples: each tensor that has them joined to itself."""
    first = batch[0] if isinstance(batch, MicroBatches) else batch
    count = batch_length(first)
    return _changed(batch, lambda t: torch.cat([t, t]) if t.dim() and len(t) == count else t)


def _changed(batch: Any, change: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(batch, MicroBatches):
        return MicroBatches(map_tensors(part, change) for part in batch)
    return map_tensors(batch, change)


def _roomy(device: torch.device) -> bool:
    """Whether as much memory is free as the process has used so far."""
    used = peak_memory(device)
    return used is not None and free_memory(device) > used
