"""What a run was made with, for whoever wants to make it again."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from toolkit.system.hardware import cpu_features

_PACKAGES = (
    "vision-toolkit",
    "torch",
    "torchvision",
    "timm",
    "albumentations",
    "numpy",
    "opencv-python-headless",
    "pillow",
)


def environment() -> dict[str, Any]:
    """Versions, machine, command line and the folder it was typed in, JSON-able."""
    return {
        "command": sys.argv,
        "folder": os.getcwd(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": versions(),
        "cpu": platform.processor() or platform.machine(),
        "cpu_features": sorted(cpu_features()),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "cuda": torch.version.cuda if torch.cuda.is_available() else None,
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
    }


def versions() -> dict[str, str]:
    """Installed versions of the packages that decide results."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
