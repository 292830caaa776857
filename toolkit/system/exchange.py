"""A directory takes the place of another: in one step, or in two that whoever opens it next can tell apart.

Linux swaps two directories at once. Elsewhere the old one steps aside, under a name that :func:`standing` and
:func:`repair` know, before the new one is renamed into its place.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path

from toolkit.system.files import sync_directory

__all__ = ["aside_of", "repair", "replace_directory", "standing", "swap"]

_HERE = -100
_EXCHANGE = 2
_CANNOT = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM}


def replace_directory(made: Path, target: Path) -> None:
    """Put ``made`` where ``target`` is, or may be; what lay there is removed once that is durable.

    Raises:
        OSError: the disk refuses; what lay at ``target`` still does, or :func:`standing` finds it.
    """
    aside = aside_of(target)
    if not os.path.lexists(target):
        made.rename(target)
        sync_directory(target.parent)
    elif swap(made, target):
        sync_directory(target.parent)
        shutil.rmtree(made, ignore_errors=True)
    else:
        shutil.rmtree(aside, ignore_errors=True)
        target.rename(aside)
        try:
            made.rename(target)
        except OSError:
            with suppress(OSError):
                aside.rename(target)
            raise
        sync_directory(target.parent)
    shutil.rmtree(aside, ignore_errors=True)


def aside_of(target: Path) -> Path:
    """Where a directory stands between the two steps of its replacement."""
    return target.with_name(f".{target.name}.old.tmp")


def standing(target: Path) -> Path:
    """Where what belongs at ``target`` is to be read: aside, if its replacement was cut off between the two steps."""
    aside = aside_of(target)
    return aside if not target.exists() and aside.is_dir() else target


def repair(target: Path) -> None:
    """Put back what stands aside.

    Raises:
        OSError: it cannot be renamed.
    """
    aside = standing(target)
    if aside != target:
        aside.rename(target)


def swap(one: Path, other: Path) -> bool:
    """Exchange two directories' names in one step; False where the system cannot.

    Raises:
        OSError: it can, and failed.
    """
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    if renameat2(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _CANNOT:
        return False
    raise OSError(code, os.strerror(code), str(one), None, str(other))
