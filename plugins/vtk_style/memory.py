"""What a stage needs, what is free, and the tiling that fits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

from toolkit import ExitCode, VtkError
from vtk_style.taps import CHANNELS, Field, Tap, pooled_after, stride_at
from vtk_style.tiling import Tiling
from vtk_style.trunk import Pooling

MIB = 1 << 20
SHARE = 0.8
"""Part of the free memory that a plan may use; the rest is for what else runs, and for fragmentation."""

_SIDES = (2048, 1536, 1024, 768, 512, 384, 256, 192, 128, 96, 64, 48, 32)
_VECTOR = 3 * 4
"""Bytes a pixel of one float32 image."""

_CGROUP_FILES = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


@dataclass(frozen=True)
class Demand:
    """Bytes for each pixel of the image (``image``), and for each pixel of the largest tile (``tile``)."""

    image: float
    tile: float

    def bytes(self, tiling: Tiling) -> int:
        """All that a plan takes at its peak."""
        return round(self.image * tiling.height * tiling.width + self.tile * tiling.largest_crop)


def demand(
    taps: Iterable[Tap],
    content: Iterable[Tap],
    pooling: Pooling,
    *,
    item: int = 4,
    vectors: int = 7,
    pair_bytes: int = 0,
    regions: int = 0,
) -> Demand:
    """What an image of any size needs.

    Args:
        taps, content: the taps, and those among them that have content targets.
        pooling: the trunk's.
        item: bytes of a feature, 4 in float32, 2 in bfloat16.
        vectors: float32 images alive at once: image, last good image, direction, two gradients, two in work.
        pair_bytes: bytes a pixel of the optimizer's curvature pairs.
        regions: masks.
    """
    content_bytes = sum(4 * _width(tap.conv) for tap in content)
    masks = regions * 4 * (1 + 1 / 4 + 1 / 16 + 1 / 64 + 1 / 256)
    return Demand(_VECTOR * vectors + pair_bytes + content_bytes + masks, _trunk_bytes(set(taps), pooling, item))


def _width(conv: int) -> float:
    """Numbers at a convolution's output for each pixel of the image."""
    return CHANNELS[conv - 1] / stride_at(conv) ** 2


def _trunk_bytes(taps: set[Tap], pooling: Pooling, item: int) -> float:
    """What the forward pass keeps for each pixel, and the gradients on their way back."""
    depth = max(tap.conv for tap in taps)
    kept = widest = 0.0
    for conv in range(1, depth + 1):
        width = _width(conv)
        widest = max(widest, width)
        pools = conv < depth and pooled_after(conv)
        copies = 1
        if Tap(conv) in taps and (Tap(conv, "relu") in taps or (conv < depth and not (pools and pooling == "max"))):
            copies = 2
        kept += width * copies * item
        if pools:
            kept += width / 4 * (item + (8 if pooling == "max" else 0))
    return kept + 3 * widest * item


def free_memory(device: torch.device) -> int:
    """Bytes that this process may still take on a device: of the GPU, or of the machine within its cgroup's limit."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    candidates = [_machine_free()]
    for limit_file, usage_file in _CGROUP_FILES:
        limit, usage = _read_number(limit_file), _read_number(usage_file)
        if limit is not None and usage is not None:
            candidates.append(limit - usage + _reclaimable())
    return max(0, min(candidates))


def _machine_free() -> int:
    meminfo = _table("/proc/meminfo")
    if "MemAvailable:" in meminfo:
        return meminfo["MemAvailable:"] * 1024
    import os

    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def _reclaimable() -> int:
    """Page cache that the cgroup counts as used and gives back when asked."""
    stat = _table("/sys/fs/cgroup/memory.stat") or _table("/sys/fs/cgroup/memory/memory.stat")
    return stat.get("inactive_file", stat.get("total_inactive_file", 0))


def _table(path: str) -> dict[str, int]:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return {}
    pairs = [line.split()[:2] for line in lines if len(line.split()) >= 2]
    return {name: int(value) for name, value in pairs if value.isdigit()}


def _read_number(path: str) -> int | None:
    try:
        text = Path(path).read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def choose_tiling(height: int, width: int, field: Field, need: Demand, free: int, wanted: int | str = "auto") -> Tiling:
    """The plan for an image.

    Args:
        wanted: ``auto`` takes the whole image if it fits and else the largest tile that does; ``whole`` and a number of
            pixels insist.

    Raises:
        VtkError: it does not fit; says what would (exit code 71).
    """
    room = SHARE * free
    sides = [side // field.stride * field.stride for side in _SIDES]
    plans = [Tiling(height, width, side, field) for side in sides if 0 < side < max(height, width)]
    whole = Tiling.whole(height, width, field)
    if wanted == "auto":
        plans = [whole, *plans]
    elif wanted == "whole":
        plans = [whole]
    else:
        side = max(int(wanted) // field.stride, 1) * field.stride
        plans = [Tiling(height, width, side, field) if side < max(height, width) else whole]
    for plan in plans:
        if need.bytes(plan) <= room:
            return plan
    smallest = min(need.bytes(plan) for plan in plans)
    raise VtkError(
        f"{width}×{height} pixels need {smallest / MIB:,.0f} MiB, and {free / MIB:,.0f} MiB are free",
        hint=f"{_remedy(height, width, plans[-1], need, room)}",
        code=ExitCode.OUT_OF_MEMORY,
    )


def largest_pixels(need: Demand, field: Field, free: int) -> int:
    """Pixels of the largest image that fits with the smallest tiles."""
    side = _SIDES[-1] + 2 * field.halo
    return max(0, int((SHARE * free - need.tile * side * side) / need.image))


def _remedy(height: int, width: int, plan: Tiling, need: Demand, room: float) -> str:
    most = largest_pixels(need, plan.field, int(room / SHARE))
    longer = int(max(height, width) * (most / (height * width)) ** 0.5)
    if plan.is_whole:
        return "Leave memory.tile at auto, or take a smaller --size."
    return f"Up to --size {longer} fits; a shorter optimizer.history or history_dtype: bf16 needs less."
