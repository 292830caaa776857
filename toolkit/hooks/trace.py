"""Who answered each hook, in what order, and how long it took: ``vtk run … --trace-hooks``.

A manager is traced by putting a timed function in the place of each implementation's own; one that is not traced is
left as it is and costs nothing.

``vtk_config`` and ``vtk_options`` are called early, while a recipe is read, when there is neither run nor manager yet:
on each plugin by itself. Whoever wants to know of these calls records them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from typing import Any

import pluggy

from toolkit.hooks.entry import Plugin
from toolkit.hooks.lint import hook_names
from toolkit.hooks.loading import guarded
from toolkit.hooks.manager import plugin_name

COLUMNS = ("hook", "asked", "calls", "answers", "total s", "own s", "mean ms")


@dataclass(frozen=True)
class EarlyCall:
    """One call: when it began, by ``time.perf_counter``, how long it took, whether it gave something else than None."""

    hook: str
    entry: Plugin
    began: float
    seconds: float
    answered: bool


_notes: ContextVar[list[EarlyCall] | None] = ContextVar("notes", default=None)


@contextmanager
def record_calls(calls: list[EarlyCall]) -> Iterator[None]:
    """Adds to ``calls`` what is asked while the block runs."""
    token = _notes.set(calls)
    try:
        yield
    finally:
        _notes.reset(token)


def call_early(entry: Plugin, hook: str, function: Callable[[], Any]) -> Any:
    """The plugin's own answer to a hook, called without arguments.

    Raises:
        VtkError: the hook failed.
    """
    began = time.perf_counter()
    answer = None
    try:
        answer = guarded(entry, f"failed in {hook}", function)
    finally:
        notes = _notes.get()
        if notes is not None:
            notes.append(EarlyCall(hook, entry, began, time.perf_counter() - began, answer is not None))
    return answer


@dataclass
class Line:
    """What one plugin did for one hook.

    Args:
        order: its place among those that the hook asks; wrappers come first.
        answers: calls that gave something else than None, of a wrapper those that it let through.
        seconds: time in the plugin, in hooks that it called itself too; of a wrapper before and after its ``yield``.
        own: the same without the hooks that it called itself.
        first: seconds from the beginning of the trace to the first call.
    """

    hook: str
    plugin: str
    order: int
    wrapper: bool
    calls: int = 0
    answers: int = 0
    seconds: float = 0.0
    own: float = 0.0
    first: float | None = None


class HookTrace:
    """Counts and times every call of the hooks of one run."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter, early: Sequence[EarlyCall] = ()) -> None:
        """``early``: what was asked while the recipe was read; the trace then begins with the first of these calls."""
        self._clock = clock
        self._began = min((call.began for call in early), default=clock())
        self._inner = threading.local()
        self._lines: list[Line] = []
        self._take(early)

    def _take(self, early: Sequence[EarlyCall]) -> None:
        lines: dict[tuple[str, str], Line] = {}
        for call in early:
            name, order = plugin_name(call.entry), 1 + sum(hook == call.hook for hook, _ in lines)
            line = lines.setdefault((call.hook, name), Line(call.hook, name, order, False))
            line.calls += 1
            line.answers += call.answered
            line.seconds += call.seconds
            line.own += call.seconds
            line.first = call.began - self._began if line.first is None else line.first
        self._lines += lines.values()

    def attach(self, manager: pluggy.PluginManager) -> None:
        """Trace the plugins that are registered now. A hook that was asked before the run is not asked in it again."""
        asked_before = {line.hook for line in self._lines}
        for hook in hook_names():
            if hook in asked_before:
                continue
            for order, impl in enumerate(reversed(getattr(manager.hook, hook).get_hookimpls()), start=1):
                wrapper = impl.wrapper or impl.hookwrapper
                line = Line(hook, impl.plugin_name, order, wrapper)
                self._lines.append(line)
                impl.function = (self._wrapping if wrapper else self._plain)(line, impl.function)

    @property
    def lines(self) -> list[Line]:
        """Hooks in the order of their first calls, each with all that it asks, in the order of asking."""
        firsts: dict[str, float] = {}
        for line in self._lines:
            if line.first is not None:
                firsts[line.hook] = min(line.first, firsts.get(line.hook, line.first))
        called = [line for line in self._lines if line.hook in firsts]
        return sorted(called, key=lambda line: (firsts[line.hook], line.hook, line.order))

    def document(self) -> dict[str, Any]:
        """As JSON says it."""
        return {"seconds": self._clock() - self._began, "hooks": [asdict(line) for line in self.lines]}

    def rows(self) -> Sequence[Sequence[Any]]:
        """The lines as rows under ``COLUMNS``."""
        rows = []
        hook = ""
        for line in self.lines:
            mean = f"{line.seconds / line.calls * 1e3:.3f}" if line.calls else ""
            name = line.plugin + (" (wraps)" if line.wrapper else "")
            counts = (line.calls, line.answers) if line.calls else ("not asked", "")
            times = (f"{line.seconds:.3f}", f"{line.own:.3f}") if line.calls else ("", "")
            rows.append([line.hook if line.hook != hook else "", name, *counts, *times, mean])
            hook = line.hook
        return rows

    def _plain(self, line: Line, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any) -> Any:
            self._called(line)
            with self._span(line):
                answer = function(*args)
            line.answers += answer is not None
            return answer

        return timed

    def _wrapping(self, line: Line, function: Callable[..., Any]) -> Callable[..., Any]:
        """Drives the wrapper's generator as pluggy would, and measures what runs on either side of its ``yield``."""

        def timed(*args: Any) -> Generator[Any, Any, Any]:
            self._called(line)
            generator = function(*args)
            advance: Callable[[], Any] = lambda: next(generator)  # noqa: E731
            while True:
                try:
                    with self._span(line):
                        value = advance()
                except StopIteration as end:
                    line.answers += 1
                    return end.value
                try:
                    answer = yield value
                except BaseException as error:
                    advance = _throwing(generator, error)
                else:
                    advance = _sending(generator, answer)

        return timed

    def _called(self, line: Line) -> None:
        line.calls += 1
        if line.first is None:
            line.first = self._clock() - self._began

    @contextmanager
    def _span(self, line: Line) -> Iterator[None]:
        """Adds the time within to the line, and tells the surrounding span how much of its time this was."""
        stack: list[float] = self._inner.__dict__.setdefault("stack", [])
        stack.append(0.0)
        start = self._clock()
        try:
            yield
        finally:
            elapsed = self._clock() - start
            line.seconds += elapsed
            line.own += elapsed - stack.pop()
            if stack:
                stack[-1] += elapsed


def _sending(generator: Generator[Any, Any, Any], answer: Any) -> Callable[[], Any]:
    return lambda: generator.send(answer)


def _throwing(generator: Generator[Any, Any, Any], error: BaseException) -> Callable[[], Any]:
    return lambda: generator.throw(error)
