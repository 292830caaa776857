"""A tree of plain values and tensors as safetensors plus JSON: exact, and unable to run code.

Dicts (with string or integer keys), lists, tuples, strings, numbers, None, tensors and NumPy arrays go in and come out
the same, tensors bit by bit. Nothing is pickled.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import load as load_tensors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint64: "U64",
    torch.uint32: "U32",
    torch.uint16: "U16",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


@dataclass(frozen=True)
class Packed:
    """A tree on its way to disk. The tensors are not copied: write it before they change.

    Args:
        tensors: by name, in the order of the file.
        plain: the JSON part.
    """

    tensors: dict[str, torch.Tensor]
    plain: bytes

    @property
    def header(self) -> bytes:
        """What a safetensors file begins with: the header's length, and where each tensor lies."""
        entries, position = {}, 0
        for name, tensor in self.tensors.items():
            end = position + tensor.nbytes
            kind = _DTYPES[tensor.dtype]
            entries[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [position, end]}
            position = end
        text = json.dumps(entries).encode()
        text += b" " * (-len(text) % 8)
        return len(text).to_bytes(8, "little") + text

    @property
    def size(self) -> int:
        """Bytes of the safetensors file and the JSON together."""
        return len(self.header) + sum(t.nbytes for t in self.tensors.values()) + len(self.plain)

    def chunks(self) -> Iterator[bytes | memoryview]:
        """The safetensors file, one tensor at a time, so that saving needs no second copy of the state."""
        yield self.header
        for tensor in self.tensors.values():
            flat = tensor.detach().to("cpu").contiguous().reshape(-1)
            if flat.stride(0) != 1:  # a single number may count as contiguous whatever its stride
                flat = flat.clone(memory_format=torch.contiguous_format)
            yield flat.view(torch.uint8).numpy().data


def pack(tree: Any) -> Packed:
    """A tree, ready to be written.

    Raises:
        TypeError: a value is of a kind that cannot be stored; the message names the path to it.
    """
    tensors: dict[str, torch.Tensor] = {}
    plain = json.dumps(_pack(tree, tensors, "state")).encode()
    # Wide types first, so that each tensor begins at a multiple of its item's size.
    ordered = sorted(tensors.items(), key=lambda entry: -entry[1].itemsize)
    return Packed(dict(ordered), plain)


def dump(tree: Any) -> tuple[bytes, bytes]:
    """The tree as (safetensors bytes, JSON bytes). Raises TypeError as :func:`pack` does."""
    packed = pack(tree)
    return b"".join(packed.chunks()), packed.plain


def load(tensor_bytes: bytes, json_bytes: bytes) -> Any:
    """The inverse of :func:`dump`."""
    return _unpack(json.loads(json_bytes), load_tensors(tensor_bytes))


def _pack(value: Any, tensors: dict[str, torch.Tensor], path: str) -> Any:
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, torch.Tensor):
        if value.dtype not in _DTYPES:
            raise TypeError(f"{path}: tensors of {value.dtype} cannot be stored in a checkpoint")
        key = str(len(tensors))
        tensors[key] = value.detach()
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
