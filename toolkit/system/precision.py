"""Which number formats this machine computes well in, and the contexts to compute in them."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from toolkit.system.hardware import CPU_VARIABLE, compute_capability, cpu_features, cpu_features_from_outside

if TYPE_CHECKING:
    from collections.abc import Collection
    from contextlib import AbstractContextManager

__all__ = ["FORMATS", "PrecisionPlan", "auto_precision"]

FORMATS = ("fp32", "bf16", "fp16")

# CPU feature -> format and the feature's name for people; the first that the CPU has counts. An entry comes with a
# measurement, so ARM's bf16 and AVX-NE-CONVERT are not in it yet: `auto` takes fp32 there.
_CPU = {
    # ResNet-18 at 224 on two cores, batches of 32, answering: 63 images/s in fp32, 223 in bf16 (OpenVINO: 77 and 240+).
    "amx_bf16": ("bf16", "AMX"),
    # ResNet-18 at 224 on two cores, batches of 32, training in channels-last: 31.6 images/s in fp32, 54 to 62 in bf16.
    "avx512_bf16": ("bf16", "AVX-512"),
}

# Least CUDA compute capability -> format and the reason; the first that the device reaches counts. By NVIDIA's tables
# of multiply-adds per clock (CUDA C++ Programming Guide, arithmetic instructions), not measured here: tensor cores take
# bf16 from 8.0 on, at the rate of fp16 and with the range of fp32; 7.0 and 7.5 have them for fp16 only; without them
# half precision gains nothing on most devices and is slower on 6.1.
_CUDA = (
    ((8, 0), "bf16", "has bf16 tensor cores"),
    ((7, 0), "fp16", "has fp16 tensor cores"),
    ((0, 0), "fp32", "has no tensor cores"),
)


@dataclass(frozen=True)
class PrecisionPlan:
    """The format to train in: ``name`` is ``fp32``, ``bf16`` or ``fp16``; ``why`` is told to the user."""

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


def auto_precision(device: torch.device, formats: Collection[str] = FORMATS) -> tuple[str, str]:
    """What ``auto`` means on a device, of ``formats`` (fp32 is one of them), and why."""
    if device.type == "cuda":
        name, why = _auto_cuda(device)
    elif device.type == "cpu":
        name, why = _auto_cpu()
    else:
        name, why = "fp32", f"{device.type} gains little from half precision"
    return (name, why) if name in formats else ("fp32", f"{why}, but the task has no {name}")


def _auto_cuda(device: torch.device) -> tuple[str, str]:
    major, minor = compute_capability(device)
    name, why = next((name, why) for least, name, why in _CUDA if (major, minor) >= least)
    return name, f"compute capability {major}.{minor} {why}"


def _auto_cpu() -> tuple[str, str]:
    has = cpu_features()
    who = "this CPU" if cpu_features_from_outside() is None else f"by {CPU_VARIABLE} this CPU"
    for feature, (name, words) in _CPU.items():
        if feature in has:
            return name, f"{who} has native {name} ({words})"
    return "fp32", f"{who} has neither {' nor '.join(words for _, words in _CPU.values())} bf16"
