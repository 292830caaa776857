"""From a device's name to a device that is there."""

from __future__ import annotations

import torch

from toolkit.errors import ExitCode, VtkError


def pick_device(name: str) -> torch.device:
    """``auto`` takes CUDA, then Apple's MPS, then the CPU.

    Raises:
        VtkError: the name is no device, or the device is not there (exit code 69).
    """
    if name == "auto":
        return _best_device()
    try:
        device = torch.device(name)
    except RuntimeError:
        raise VtkError(
            f"{name!r} is no device", hint="Use auto, cpu, cuda, cuda:N or mps.", code=ExitCode.RECIPE
        ) from None
    if device.type == "cuda":
        _require_cuda(device)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise _missing("mps is not available on this machine")
    return device


def _best_device() -> torch.device:
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def _require_cuda(device: torch.device) -> None:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not count:
        raise _missing("CUDA is not available on this machine")
    if device.index is not None and device.index >= count:
        raise _missing(f"there is no {device}; this machine has {count} CUDA device(s), from cuda:0")


def _missing(message: str) -> VtkError:
    return VtkError(message, hint="Leave out --device, or use --device cpu.", code=ExitCode.UNAVAILABLE)
