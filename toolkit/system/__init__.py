"""Files, devices, memory, signals and terminals: what the machine gives, for every room above.

The names below are building blocks for plugins, provisional until 1.0; what lies in the modules is private.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.lazy import lazy_names

if TYPE_CHECKING:
    from toolkit.system.files import new_directory, whole_file, write_atomic, write_error
    from toolkit.system.home import user_cache
    from toolkit.system.memory import free_memory, used_memory
    from toolkit.system.opencv import cv2
    from toolkit.system.os_errors import os_error

_HOMES = {
    "toolkit.system.files": "new_directory whole_file write_atomic write_error",
    "toolkit.system.home": "user_cache",
    "toolkit.system.memory": "free_memory used_memory",
    "toolkit.system.opencv": "cv2",
    "toolkit.system.os_errors": "os_error",
}
__all__ = [
    "cv2",
    "free_memory",
    "new_directory",
    "os_error",
    "used_memory",
    "user_cache",
    "whole_file",
    "write_atomic",
    "write_error",
]
__getattr__, __dir__ = lazy_names(__name__, _HOMES)
