"""What to change in a recipe, and why, from what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch

from toolkit.data.loading.loaders import usable_cores
from toolkit.profile.data_profile import AUGMENT, READ
from toolkit.profile.timers import WAIT

if TYPE_CHECKING:
    from toolkit.profile.bench_result import Bench
    from toolkit.run.run import Run

_GAIN, _CLOSE = 1.1, 0.95


def advise(run: Run, found: Bench) -> None:
    """What to change, the most useful first."""
    assert found.data is not None
    assert found.model is not None
    side, other = ("data path", "model") if found.limit == "data" else ("model", "data path")
    room = max(found.data.per_second, found.model.per_second) / min(found.data.per_second, found.model.per_second)
    better = [t for t in found.trials if t.side == found.limit and t.gain >= _GAIN]
    for trial in sorted(better, key=lambda t: -t.gain):
        why = f"the {side} is the limit, and ran {trial.gain:.2f} times as fast with it"
        if trial.gain > room:
            why += f"; from {room:.2f} times on the {other} is the limit"
        found.advice.append({"change": trial.setting, "why": why + _price(trial.setting)})
    if found.limit == "data":
        found.advice += _about_data(run, found)
    elif run.device.type == "cpu" and torch.cuda.is_available():
        found.advice.append({"change": "train.device=cuda", "why": "the model is the limit, and there is a GPU"})
    if not found.advice:
        found.advice.append({"change": "nothing in the recipe", "why": _nothing(run, found, side, other)})


def _price(setting: str) -> str:
    if setting.startswith("train.batch_size"):
        return "; the learning rate may have to rise with it"
    return ""


def _about_data(run: Run, found: Bench) -> Iterator[dict[str, str]]:
    total = sum(found.fetch_parts.values()) or 1.0
    read, augment = (found.fetch_parts.get(part, 0.0) / total for part in (READ, AUGMENT))
    section = getattr(run.recipe, "data", None)
    if read > 0.4 and getattr(section, "cache", None) == "off":
        why = f"{read:.0%} of fetching is reading and decoding, which a cache does once"
        yield {"change": "data.cache=auto", "why": why}
    if augment > 0.5:
        why = f"{augment:.0%} of fetching is augmentation"
        yield {"change": "fewer or cheaper steps in data.augment", "why": why}


def _nothing(run: Run, found: Bench, side: str, other: str) -> str:
    assert found.data is not None
    assert found.model is not None
    fast, slow = sorted((found.data.per_second, found.model.per_second), reverse=True)
    wait = found.step_parts.get(WAIT, 0.0) / (sum(found.step_parts.values()) or 1.0)
    tail = f"training waits for data {wait:.0%} of the time"
    if run.device.type == "cpu" and run.loader.count and (found.of_ceiling or 1.0) < _CLOSE:
        tail += f"; what is missing to the ceiling is the time of {usable_cores()} cores that both share"
    if found.limit == "model":
        return f"the {side} is the limit, the {other} is {fast / slow:.1f} times as fast, and {tail}"
    return f"the {side} is the limit, and no other setting that was tried is {_GAIN - 1:.0%} faster; {tail}"
