"""Where two trees of values differ, to the bit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

_CLOCKS = frozenset({"seconds", "time", "at"})


def differences(a: Any, b: Any, path: str = "", tolerance: float = 0.0) -> list[tuple[str, str]]:
    """``(dotted path, what differs)`` of mappings, sequences, tensors, arrays and plain values; NaN equals NaN.

    Args:
        tolerance: how far apart plain floats may be, relative to the larger.
    """
    return list(_differences(a, b, path, tolerance))


def _differences(a: Any, b: Any, path: str, tolerance: float) -> Iterator[tuple[str, str]]:
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        if list(a) != list(b):
            yield path, f"keys {list(a)} and {list(b)}"
            return
        for key in a:
            yield from _differences(a[key], b[key], f"{path}.{key}".lstrip("."), tolerance)
    elif isinstance(a, list | tuple) and isinstance(b, list | tuple):
        if len(a) != len(b):
            yield path, f"lengths {len(a)} and {len(b)}"
            return
        for number, pair in enumerate(zip(a, b, strict=True)):
            yield from _differences(*pair, f"{path}.{number}".lstrip("."), tolerance)
    elif not (_same(a, b) or _close(a, b, tolerance)):
        yield path, _described(a, b)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return a.dtype == b.dtype and a.shape == b.shape and _bits(a) == _bits(b)
    if isinstance(a, np.ndarray | np.generic) and isinstance(b, np.ndarray | np.generic):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (a != a and b != b)
    return type(a) is type(b) and bool(a == b)


def _close(a: Any, b: Any, tolerance: float) -> bool:
    return isinstance(a, float) and isinstance(b, float) and abs(a - b) <= tolerance * max(abs(a), abs(b))


def _bits(tensor: torch.Tensor) -> bytes:
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""


def _described(a: Any, b: Any) -> str:
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor) and a.shape == b.shape and a.dtype == b.dtype:
        unequal = int((a != b).sum())
        return f"{unequal} of {a.numel()} numbers differ, by up to {(a.double() - b.double()).abs().max().item():.3g}"
    return f"{a!r:.80} and {b!r:.80}"


def without_clocks(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of metrics less the values that tell the time."""
    return [{key: value for key, value in row.items() if key not in _CLOCKS} for row in rows]
