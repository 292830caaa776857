"""The short way to a hook that one plugin answers."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pluggy
import pytest

from toolkit.hooks import specs
from toolkit.hooks.direct import direct
from toolkit.hooks.markers import PROJECT, hookimpl
from toolkit.hooks.trace import HookTrace


class Core:
    @hookimpl
    def vtk_step(self, run: Any, batch: Any) -> Any:
        return ["core", run, batch]


class Other:
    @hookimpl
    def vtk_step(self, batch: Any) -> Any:
        return "other" if batch == "other's" else None


class Swapped:
    @hookimpl
    def vtk_step(self, batch: Any, run: Any) -> Any:
        return ["swapped", run, batch]


class Wrapper:
    @hookimpl(wrapper=True)
    def vtk_step(self) -> Generator[None, Any, Any]:
        return ["wrapped", (yield)]


@pytest.fixture
def manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(specs)
    return manager


def answers(manager: pluggy.PluginManager) -> tuple[Callable[..., Any], Any]:
    step = direct(manager, "vtk_step")
    answer = step(1, 2)
    assert answer == manager.hook.vtk_step(run=1, batch=2)
    return step, answer


def test_the_only_answer_is_called_by_itself(manager: pluggy.PluginManager) -> None:
    core = Core()
    manager.register(core)
    step, answer = answers(manager)
    assert step == core.vtk_step
    assert answer == ["core", 1, 2]


def test_a_wrapper_still_wraps(manager: pluggy.PluginManager) -> None:
    manager.register(Core())
    manager.register(Wrapper())
    assert answers(manager)[1] == ["wrapped", ["core", 1, 2]]


def test_a_second_plugin_is_asked_first_and_may_pass(manager: pluggy.PluginManager) -> None:
    manager.register(Core())
    manager.register(Other())
    step, answer = answers(manager)
    assert answer == ["core", 1, 2]
    assert step(1, "other's") == "other"


def test_one_that_takes_fewer_arguments_is_called_through_the_hook(manager: pluggy.PluginManager) -> None:
    manager.register(Other())
    assert direct(manager, "vtk_step")(1, "other's") == "other"


def test_one_that_takes_them_in_another_order_gets_each_by_name(manager: pluggy.PluginManager) -> None:
    manager.register(Swapped())
    assert answers(manager)[1] == ["swapped", 1, 2]


def test_a_traced_hook_is_traced(manager: pluggy.PluginManager) -> None:
    manager.register(Core(), name="core")
    trace = HookTrace()
    trace.attach(manager)
    assert answers(manager)[1] == ["core", 1, 2]
    assert [(line.hook, line.calls) for line in trace.lines] == [("vtk_step", 2)]


def test_who_watches_the_calls_sees_each(manager: pluggy.PluginManager) -> None:
    manager.register(Core())
    seen: list[str] = []

    def before(name: str, *_: Any) -> None:
        seen.append(name)

    undo = manager.add_hookcall_monitoring(before, lambda *_: None)
    direct(manager, "vtk_step")(1, 2)
    undo()
    direct(manager, "vtk_step")(1, 2)
    assert seen == ["vtk_step"]
