"""The trace of hooks changes nothing and tells everything."""

from __future__ import annotations

from typing import Any

import pluggy
import pytest

from toolkit import Recipe, hookimpl
from toolkit.errors import VtkError
from toolkit.hooks.catalogue import Kind, LoadedPlugin, Plugin
from toolkit.hooks.manager import build_manager
from toolkit.hooks.trace import EarlyCall, HookTrace, call_early, record_calls


class Clock:
    """A clock that goes on only when it is told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


CLOCK = Clock()
KINDS: list[tuple[str, Kind]] = [("t", "task"), ("ext", "extension")]


def takes(seconds: float) -> None:
    CLOCK.now += seconds


class Task:
    @hookimpl
    def vtk_config(self) -> Any:
        return Recipe

    @hookimpl
    def vtk_data(self, recipe: Any, run: Any) -> Any:
        return None

    @hookimpl
    def vtk_model(self, recipe: Any, data: Any) -> Any:
        takes(3)
        return "model"

    @hookimpl
    def vtk_loss(self, recipe: Any, data: Any) -> Any:
        raise ValueError("no loss")

    @hookimpl
    def vtk_step(self, run: Any, batch: Any) -> Any:
        takes(0.5)
        return batch or None


class Extension:
    @hookimpl(wrapper=True)
    def vtk_fit(self, run: Any) -> Any:
        takes(1)
        answer = yield
        takes(2)
        return f"wrapped {answer}"

    @hookimpl(wrapper=True)
    def vtk_loss(self, recipe: Any, data: Any) -> Any:
        try:
            return (yield)
        except ValueError as error:
            return f"saved from {error}"

    @hookimpl(hookwrapper=True)
    def vtk_metrics(self, recipe: Any, data: Any) -> Any:
        outcome = yield
        outcome.force_result("forced")

    @hookimpl(wrapper=True)
    def vtk_inference(self, recipe: Any, model: Any) -> Any:
        yield
        yield

    @hookimpl
    def vtk_step(self, run: Any, batch: Any) -> Any:
        takes(0.25)


class Core:
    @hookimpl
    def vtk_fit(self, run: Any) -> Any:
        takes(10)
        for batch in (1, 0, 1):
            run.hook.vtk_step(run=run, batch=batch)
        return "fitted"

    @hookimpl
    def vtk_step(self, run: Any, batch: Any) -> Any:
        takes(0.125)
        return "core"


def build() -> pluggy.PluginManager:
    def loaded(plugin: Any, name: str, kind: Any) -> LoadedPlugin:
        return LoadedPlugin(Plugin(name, kind, "m:p", "dist", "1", ""), plugin, Recipe)

    (task, kind), (extension, other) = KINDS
    return build_manager(Core(), [loaded(Extension(), extension, other)], loaded(Task(), task, kind))


@pytest.fixture
def traced() -> tuple[Any, HookTrace]:
    """A manager's hooks, and their trace, which begins with the clock at 100."""
    CLOCK.now = 100.0
    manager, trace = build(), HookTrace(CLOCK)
    trace.attach(manager)
    return manager, trace


def by_plugin(trace: HookTrace, hook: str) -> list[tuple[Any, ...]]:
    return [
        (line.plugin.split(":")[0], line.calls, line.answers, line.seconds, line.own)
        for line in trace.lines
        if line.hook == hook
    ]


def test_who_answered_in_what_order_how_often_and_how_long(traced: tuple[Any, HookTrace]) -> None:
    manager, trace = traced
    assert manager.hook.vtk_model(recipe=0, data=0) == "model"
    assert manager.hook.vtk_fit(run=manager) == "wrapped fitted"
    assert by_plugin(trace, "vtk_model") == [("task", 1, 1, 3.0, 3.0)]
    # A wrapper's time is its own on both sides of the yield; what it wraps is not its time.
    inner = 3 * 0.5 + 0.25 + 0.125
    assert by_plugin(trace, "vtk_fit") == [("extension", 1, 1, 3.0, 3.0), ("core", 1, 1, 10 + inner, 10.0)]
    assert by_plugin(trace, "vtk_step") == [
        ("task", 3, 2, 1.5, 1.5),
        ("extension", 1, 0, 0.25, 0.25),
        ("core", 1, 1, 0.125, 0.125),
    ]
    assert list(dict.fromkeys(line.hook for line in trace.lines)) == ["vtk_model", "vtk_fit", "vtk_step"]
    assert [line.order for line in trace.lines] == [1, 1, 2, 1, 2, 3]
    assert [line.first for line in trace.lines] == [0.0, 3.0, 4.0, 14.0, 15.0, 15.25]


def test_one_that_was_not_asked_is_shown_as_such(traced: tuple[Any, HookTrace]) -> None:
    manager, trace = traced
    manager.hook.vtk_step(run=0, batch=1)
    rows = trace.rows()
    assert rows[0][:4] == ["vtk_step", "task:dist:t", 1, 1]
    assert [row[:3] for row in rows[1:]] == [["", "extension:dist:ext", "not asked"], ["", "core", "not asked"]]
    assert trace.document()["hooks"][2]["calls"] == 0


@pytest.mark.parametrize("wanted", [True, False])
def test_answers_and_errors_pass_as_without_a_trace(wanted: bool) -> None:
    manager = build()
    if wanted:
        HookTrace(CLOCK).attach(manager)
    assert manager.hook.vtk_loss(recipe=0, data=0) == "saved from no loss"
    assert manager.hook.vtk_metrics(recipe=0, data=0, split="val") == "forced"
    with pytest.raises(RuntimeError, match="has second yield"):
        manager.hook.vtk_inference(recipe=0, model=0)


def test_the_time_of_a_failure_counts(traced: tuple[Any, HookTrace]) -> None:
    manager, trace = traced
    manager.hook.vtk_loss(recipe=0, data=0)
    assert [line[:3] for line in by_plugin(trace, "vtk_loss")] == [("extension", 1, 1), ("task", 1, 0)]


def test_what_was_asked_while_the_recipe_was_read_comes_first() -> None:
    CLOCK.now = 100.0
    task, extension = (Plugin(name, kind, "m:p", "dist", "1", "") for name, kind in KINDS)
    early = [
        EarlyCall("vtk_config", task, 90.0, 2.0, True),
        EarlyCall("vtk_options", task, 92.0, 1.0, False),
        EarlyCall("vtk_config", task, 93.0, 0.5, True),
        EarlyCall("vtk_config", extension, 94.0, 0.25, True),
    ]
    manager, trace = build(), HookTrace(CLOCK, early)
    trace.attach(manager)
    manager.hook.vtk_model(recipe=0, data=0)
    assert list(dict.fromkeys(line.hook for line in trace.lines)) == ["vtk_config", "vtk_options", "vtk_model"]
    assert by_plugin(trace, "vtk_config") == [("task", 2, 2, 2.5, 2.5), ("extension", 1, 1, 0.25, 0.25)]
    assert by_plugin(trace, "vtk_options") == [("task", 1, 0, 1.0, 1.0)]
    assert [line.first for line in trace.lines] == [0.0, 4.0, 2.0, 10.0]
    assert [line.order for line in trace.lines] == [1, 2, 1, 1]
    assert trace.document()["seconds"] == 13.0


def test_notes_are_taken_only_where_they_are_wanted() -> None:
    entry, calls = Plugin("t", "task", "m:p", "dist", "1", ""), list[EarlyCall]()
    with record_calls(calls):
        assert call_early(entry, "vtk_config", lambda: 1) == 1
        with pytest.raises(VtkError, match="failed in vtk_options"):
            call_early(entry, "vtk_options", lambda: 1 / 0)
    call_early(entry, "vtk_config", lambda: 2)
    assert [(call.hook, call.answered) for call in calls] == [("vtk_config", True), ("vtk_options", False)]
    assert all(call.seconds >= 0 for call in calls)


def test_another_manager_is_left_as_it_is(traced: tuple[Any, HookTrace]) -> None:
    other = build()
    functions = {impl.function.__qualname__ for impl in other.hook.vtk_step.get_hookimpls()}
    assert functions == {"Task.vtk_step", "Extension.vtk_step", "Core.vtk_step"}
    other.hook.vtk_model(recipe=0, data=0)
    assert traced[1].lines == []
