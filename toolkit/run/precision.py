"""Which number format the model computes in, and why."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import torch

from toolkit.errors import ExitCode, VtkError

if TYPE_CHECKING:
    from collections.abc import Collection
    from contextlib import AbstractContextManager

    from toolkit.recipe.sections import Recipe

_GAIN = 1.3


@dataclass(frozen=True)
class PrecisionPlan:
    """The chosen format: ``name`` is ``fp32``, ``bf16`` or ``fp16``; ``why`` is told to the user."""

    name: str
    why: str
    device_type: str

    @property
    def dtype(self) -> torch.dtype:
        """The autocast type."""
        return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[self.name]

    def autocast(self) -> AbstractContextManager[Any]:
        """The context for a forward pass."""
        if self.name == "fp32":
            return nullcontext()
        return torch.autocast(self.device_type, dtype=self.dtype, cache_enabled=True)

    def scaler(self) -> Any:
        """A gradient scaler where the format's range needs one, else None."""
        return torch.amp.GradScaler(self.device_type) if self.name == "fp16" else None


FORMATS = ("fp32", "bf16", "fp16")


def plan_precision(wanted: str, device: torch.device, formats: Collection[str] = FORMATS) -> PrecisionPlan:
    """Resolve ``auto|fp32|bf16|fp16`` for a device. ``auto`` takes one of ``formats``, which has fp32 in it.

    Raises:
        VtkError: fp16 on a device that has no gain from it.
    """
    kind = device.type
    if wanted == "fp16" and kind == "cpu":
        raise VtkError(
            "fp16 training needs a GPU",
            hint="Set `train.precision: auto` (or bf16, fp32).",
            code=ExitCode.RECIPE,
        )
    if wanted != "auto":
        return PrecisionPlan(wanted, "as the recipe says", kind)
    plan = _auto(device)
    return plan if plan.name in formats else PrecisionPlan("fp32", f"{plan.why}, but the task has no {plan.name}", kind)


def precision_formats(recipe: Recipe) -> Collection[str]:
    """The formats that a task's schema lets a recipe name, and that ``auto`` may therefore choose from."""
    return set(FORMATS) & set(get_args(type(recipe.train).model_fields["precision"].annotation))


def _auto(device: torch.device) -> PrecisionPlan:
    if device.type == "cuda":
        return _auto_cuda(device)
    if device.type == "cpu":
        return _auto_cpu()
    return PrecisionPlan("fp32", f"{device.type} gains little from half precision", device.type)


def _auto_cuda(device: torch.device) -> PrecisionPlan:
    major, minor = torch.cuda.get_device_capability(device)
    if major >= 8:
        return PrecisionPlan("bf16", f"compute capability {major}.{minor} has bf16 tensor cores", "cuda")
    if major >= 7:
        return PrecisionPlan("fp16", f"compute capability {major}.{minor} has fp16 tensor cores", "cuda")
    return PrecisionPlan("fp32", f"compute capability {major}.{minor} has no tensor cores", "cuda")


def _auto_cpu() -> PrecisionPlan:
    if not _cpu_has_bf16():
        return PrecisionPlan("fp32", "this CPU has no bf16 instructions", "cpu")
    gain = _measured_gain()
    if gain < _GAIN:
        return PrecisionPlan("fp32", f"bf16 measured only {gain:.1f} times as fast on this CPU", "cpu")
    return PrecisionPlan("bf16", f"measured {gain:.1f} times as fast as fp32 on this CPU", "cpu")


def _cpu_has_bf16() -> bool:
    """Whether the CPU computes in bf16 natively. Knowing beats measuring: a noisy neighbour cannot change it."""
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported", "_is_arm_bf16_supported")
    return any(bool(getattr(torch.cpu, name)()) for name in probes if hasattr(torch.cpu, name))


def _measured_gain() -> float:
    """Time of a convolution, forward and backward, in fp32 over that in bf16; the best of several each."""
    state = torch.random.get_rng_state()
    layer = torch.nn.Conv2d(64, 64, 3, padding=1).to(memory_format=torch.channels_last)
    image = torch.rand(8, 64, 56, 56).contiguous(memory_format=torch.channels_last)
    torch.random.set_rng_state(state)

    def seconds(plan: PrecisionPlan) -> float:
        times = []
        for _ in range(5):
            start = time.perf_counter()
            with plan.autocast():
                out = layer(image)
            out.float().sum().backward()
            times.append(time.perf_counter() - start)
        return min(times[1:])

    full = seconds(PrecisionPlan("fp32", "", "cpu"))
    return full / seconds(PrecisionPlan("bf16", "", "cpu"))
