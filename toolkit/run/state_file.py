"""A tree of plain values and tensors as safetensors plus JSON: exact, and unable to run code.

Dicts (with string or integer keys), lists, tuples, strings, numbers, None, tensors and NumPy arrays go in and come out
the same, tensors bit by bit. Nothing is pickled.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as dump_tensors

if TYPE_CHECKING:
    from collections.abc import Callable


def dump(tree: Any) -> tuple[bytes, bytes]:
    """The tree as (safetensors bytes, JSON bytes).

    Raises:
        TypeError: a value is of a kind that cannot be stored; the message names the path to it.
    """
    tensors: dict[str, torch.Tensor] = {}
    plain = _pack(tree, tensors, "state")
    return dump_tensors(tensors), json.dumps(plain).encode()


def load(tensor_bytes: bytes, json_bytes: bytes) -> Any:
    """The inverse of :func:`dump`."""
    return _unpack(json.loads(json_bytes), load_tensors(tensor_bytes))


def _pack(value: Any, tensors: dict[str, torch.Tensor], path: str) -> Any:
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, torch.Tensor):
        key = str(len(tensors))
        # A copy: safetensors refuses tensors that share storage, such as views of one parameter.
        tensors[key] = value.detach().to("cpu", copy=True).contiguous()
        return {"~": "tensor", "v": key}
    if isinstance(value, np.ndarray):
        return {"~": "array", "v": _pack(torch.from_numpy(np.array(value)), tensors, path)}
    if isinstance(value, np.generic):
        return _pack(value.item(), tensors, path)
    if isinstance(value, dict):
        pairs = [[key, _pack(item, tensors, f"{path}.{key}")] for key, item in value.items()]
        return {"~": "dict", "v": pairs}
    if isinstance(value, tuple):
        return {"~": "tuple", "v": [_pack(v, tensors, f"{path}.{i}") for i, v in enumerate(value)]}
    if isinstance(value, list):
        return [_pack(v, tensors, f"{path}.{i}") for i, v in enumerate(value)]
    raise TypeError(f"{path}: a {type(value).__name__} cannot be stored in a checkpoint")


def _unpack(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, list):
        return [_unpack(v, tensors) for v in value]
    if not isinstance(value, dict):
        return value
    return _UNPACKERS[value["~"]](value["v"], tensors)


_UNPACKERS: dict[str, Callable[[Any, dict[str, torch.Tensor]], Any]] = {
    "tensor": lambda v, tensors: tensors[v],
    "array": lambda v, tensors: _unpack(v, tensors).numpy(),
    "dict": lambda v, tensors: {key: _unpack(item, tensors) for key, item in v},
    "tuple": lambda v, tensors: tuple(_unpack(item, tensors) for item in v),
}
