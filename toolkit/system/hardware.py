"""What the processor and the GPU can do, as far as it decides what is computed.

It is asked, never measured: one machine's stopwatch said anything from 0.1 to 3.3 times within two hours, and the same
recipe trained another model each time.
"""

from __future__ import annotations

import os

import torch

from toolkit.errors import ExitCode, VtkError

__all__ = ["CPU_FEATURES", "CPU_VARIABLE", "compute_capability", "cpu_features", "cpu_features_from_outside"]

CPU_VARIABLE = "VTK_CPU_FEATURES"
"""Environment variable for tests: what the CPU is taken to have, whatever it has: ``none``, or features with commas."""

_PROBES = {"amx_bf16": "_is_amx_tile_supported", "avx512_bf16": "_is_avx512_bf16_supported"}
CPU_FEATURES = tuple(_PROBES)
"""The features that are asked for, by their names in Linux' ``/proc/cpuinfo``."""


def cpu_features() -> frozenset[str]:
    """Those of :data:`CPU_FEATURES` that this CPU has, or that ``VTK_CPU_FEATURES`` says.

    Raises:
        VtkError: the variable names something else (exit code 64).
    """
    said = cpu_features_from_outside()
    if said is not None:
        return said
    return frozenset(feature for feature, probe in _PROBES.items() if getattr(torch.cpu, probe)())


def cpu_features_from_outside() -> frozenset[str] | None:
    """What ``VTK_CPU_FEATURES`` says; None where it is unset or empty.

    Raises:
        VtkError: it names something else (exit code 64).
    """
    text = os.environ.get(CPU_VARIABLE, "").strip()
    if not text:
        return None
    names = [] if text == "none" else [name.strip() for name in text.split(",")]
    for name in names:
        if name not in _PROBES:
            raise VtkError(
                f"{name!r} is no CPU feature that vtk asks for",
                place=f"environment variable {CPU_VARIABLE}",
                hint=f"Unset it, or say none, or one or more of {', '.join(CPU_FEATURES)} with commas between.",
                code=ExitCode.USAGE,
            )
    return frozenset(names)


def compute_capability(device: torch.device) -> tuple[int, int]:
    """A CUDA device's compute capability, e.g. (8, 0)."""
    return torch.cuda.get_device_capability(device)
