"""Batches and outputs of any shape: tensors within tuples, lists and mappings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import Tensor


def map_tensors(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """The same with each tensor changed; whatever is no tensor and holds none stays as it is."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, tuple):
        changed = [map_tensors(v, change) for v in value]
        return type(value)(*changed) if hasattr(value, "_fields") else tuple(changed)
    if isinstance(value, list):
        return [map_tensors(v, change) for v in value]
    if isinstance(value, Mapping):
        return {k: map_tensors(v, change) for k, v in value.items()}
    return value


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Every tensor within."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list | Mapping):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from tensors_in(part)


def bytes_in(value: Any) -> int:
    """How much memory the tensors within take."""
    return value.nbytes if isinstance(value, Tensor) else sum(tensor.nbytes for tensor in tensors_in(value))


def on_cpu(value: Any) -> Any:
    """Every tensor within on the CPU, floating ones as float32."""
    return map_tensors(value, lambda t: t.cpu().float() if t.is_floating_point() else t.cpu())
