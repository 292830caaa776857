"""What the code of one process shares, and a test might leave changed for those after it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

_MODULES = "modules"
_OF_PYTEST = "PYTEST_CURRENT_TEST"


def process_state() -> dict[str, Any]:
    """Everything but random states, in microseconds; of libraries only where they are imported already."""
    state: dict[str, Any] = {
        "signal handlers": tuple(signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)),
        "current folder": _folder(),
        "umask": _umask(),
        "environment": {name: value for name, value in os.environ.items() if name != _OF_PYTEST},
        "streams": (sys.__stdout__, sys.__stderr__),
        _MODULES: len(sys.modules),
    }
    for name, read in _LIBRARIES.items():
        if (module := sys.modules.get(name)) is not None:
            state.update(read(module))
    return state


def changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What differs: its value before and after. What only one of both knows is no difference."""
    found = {name: (before[name], after[name]) for name in before if name in after and before[name] != after[name]}
    imported = found.pop(_MODULES, None) is not None
    if (environments := found.pop("environment", None)) is not None:
        old, new = environments
        # Libraries set variables of their own as they are imported: scikit-learn KMP_INIT_AT_FORK, torch its caches.
        names = set(old) if imported else {*old, *new}
        found |= {name: (old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)}
    return found


def _folder() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        return "gone"


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _of_torch(torch: ModuleType) -> dict[str, Any]:
    cudnn = torch.backends.cudnn
    return {
        "torch's threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "torch's default dtype": torch.get_default_dtype(),
        "torch's gradients": torch.is_grad_enabled(),
        "torch's precision": torch.get_float32_matmul_precision(),
        "torch's determinism": (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
            cudnn.benchmark,
            cudnn.deterministic,
        ),
    }


def _of_opencv(cv2: ModuleType) -> dict[str, Any]:
    return {"OpenCV's threads": (cv2.getNumThreads(), cv2.ocl.useOpenCL())}


_LIBRARIES: dict[str, Callable[[ModuleType], dict[str, Any]]] = {"torch": _of_torch, "cv2": _of_opencv}
