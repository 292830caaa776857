"""Facts of the data that a bundle could not give back as they are, told before anything is learned from the data."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from toolkit.errors import ExitCode, VtkError

_PLAIN = (str, int, float, type(None))


def require_plain_meta(meta: Any, source: str) -> None:
    """Refuses ``data.meta`` that JSON changes or cannot say: the bundle holds it as JSON.

    Args:
        source: who gave it, e.g. ``vtk_data of the task 'denoise' (vtk-denoise 0.1.0)``.

    Raises:
        VtkError: names the key of the first fault, what stands there, and what to write instead.
    """
    for place, fault, remedy in _faults(meta, "data.meta"):
        raise VtkError(
            f"{place} of {source} {fault}; {remedy}",
            hint="data.meta is saved in the bundle as JSON, and must read from there as it was",
            code=ExitCode.UNAVAILABLE,
        )
    if json.loads(json.dumps(meta)) != meta:
        raise VtkError(f"data.meta of {source} is changed by JSON", code=ExitCode.UNAVAILABLE)


def _faults(value: Any, place: str) -> Iterator[tuple[str, str, str]]:
    """Place, fault and remedy of all that is not plain JSON within."""
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(key, str):
                yield from _faults(item, f"{place}[{key!r}]")
            else:
                kind = type(key).__name__
                yield place, f"has the key {key!r} ({kind}), which JSON turns into text or refuses", "use text as key"
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _faults(item, f"{place}[{number}]")
    elif isinstance(value, tuple):
        yield place, "is a tuple, which JSON turns into a list", "use a list"
    elif isinstance(value, float) and not math.isfinite(value):
        yield place, f"is {value}, for which JSON has no number", "use None"
    elif not isinstance(value, _PLAIN):
        kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
        yield place, f"is of type {kind}, which JSON cannot say", _plainly(value)


def _plainly(value: Any) -> str:
    """How to write it in plain values."""
    if isinstance(value, PurePath):
        return "use str(...)"
    if isinstance(value, set | frozenset):
        return "use a list, e.g. sorted(...)"
    if isinstance(value, Mapping):
        return "use dict(...)"
    if hasattr(value, "tolist"):
        return "use .tolist()"
    return "use dicts, lists, text, numbers, booleans and None"
