"""Whose code an unexpected error was raised in, read from its traceback. Nothing here imports a plugin."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence
from itertools import takewhile
from types import FrameType, TracebackType

import pluggy

from toolkit.hooks.entry import CORE, Plugin, normalized
from toolkit.hooks.lint import hook_names


def attribute(error: BaseException, plugins: Sequence[Plugin]) -> str | None:
    """``raised in vtk_survey of the task denoise (vtk-denoise 0.1.0), whose author is at ...``.

    None where no frame is a plugin's.

    It is the innermost frame in a plugin's package that counts, so what a library or the toolkit refuses is told as
    the plugin's that called it.
    """
    frames = _frames(error.__traceback__)
    for place in range(len(frames) - 1, -1, -1):
        owners = _owners(frames[place], plugins)
        if owners:
            within = [frame for frame in frames[: place + 1] if _package(frame) == _package(frames[place])]
            return _said(within, owners)
    return None


def _frames(trace: TracebackType | None) -> list[FrameType]:
    """From the outermost inwards, without wrappers of hooks through whose ``yield`` the error only passed."""
    frames = []
    while trace is not None:
        inner = trace.tb_next
        generator = trace.tb_frame.f_code.co_flags & inspect.CO_GENERATOR
        passed = generator and inner is not None and _calls_hooks(inner.tb_frame)
        if not passed:
            frames.append(trace.tb_frame)
        trace = inner
    return frames


def _calls_hooks(frame: FrameType) -> bool:
    """pluggy's innermost, which only pluggy calls: right beneath a wrapper it is what the wrapper stands around."""
    return frame.f_code.co_name == "_multicall" and _package(frame) == pluggy.__name__


def _owners(frame: FrameType, plugins: Sequence[Plugin]) -> list[Plugin]:
    """The plugins whose package the frame is in, those with the nearest module alone."""
    module = _module(frame).split(".")
    found: dict[int, list[Plugin]] = {}
    for plugin in plugins:
        own = plugin.value.partition(":")[0].strip().split(".")
        shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(own, module, strict=False)))
        # The toolkit's own package holds its extensions too; there only the very module is the plugin's.
        if shared and (own[0] != __name__.partition(".")[0] or own == module):
            found.setdefault(shared, []).append(plugin)
    return found[max(found)] if found else []


def _said(frames: Sequence[FrameType], owners: Sequence[Plugin]) -> str:
    hook = next((frame for frame in reversed(frames) if frame.f_code.co_name in hook_names()), None)
    if hook is None:
        last = frames[-1]
        place = f"{last.f_code.co_qualname} ({last.f_code.co_filename}:{last.f_lineno})"
    else:
        place = hook.f_code.co_name
        owners = [owner for owner in owners if _object(owner) is hook.f_locals.get("self")] or owners
    first = owners[0]
    whose = f"the {first.kind} {first.name} ({first.owner})" if len(owners) == 1 else first.owner
    return f"raised in {place} of {whose}, {_whom(first)}"


def _whom(plugin: Plugin) -> str:
    if normalized(plugin.distribution) == CORE:
        return "a part of vision-toolkit"
    return f"whose author is at {plugin.homepage}" if plugin.homepage else "which is not a part of vision-toolkit"


def _object(plugin: Plugin) -> object:
    """What the entry point names, where its module is imported."""
    module, _, attribute = plugin.value.partition(":")
    found: object = sys.modules.get(module.strip())
    for part in filter(None, attribute.split("[")[0].strip().split(".")):
        found = getattr(found, part, None)
    return found


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _package(frame: FrameType) -> str:
    return _module(frame).partition(".")[0]
