"""The process's environment variables, put back as they were."""

from __future__ import annotations

import os
from collections.abc import Mapping

__all__ = ["restore_environment"]


def restore_environment(before: Mapping[str, str]) -> None:
    """Make the environment what it was."""
    for name in set(os.environ) - set(before):
        del os.environ[name]
    for name, value in before.items():
        if os.environ.get(name) != value:
            os.environ[name] = value
