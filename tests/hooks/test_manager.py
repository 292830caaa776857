from __future__ import annotations

from typing import Any

import pytest
from torch import nn

from toolkit import Recipe, hookimpl
from toolkit.errors import VtkError
from toolkit.hooks.catalogue import Kind, LoadedPlugin, Plugin
from toolkit.hooks.manager import build_manager, call_required, check_registration
from toolkit.recipe.plugins import load_entry


class Recorder:
    """Writes its name into ``calls`` at each hook, and answers nothing."""

    def __init__(self, name: str, calls: list[str]) -> None:
        self.name, self.calls = name, calls

    @hookimpl
    def vtk_epoch_end(self, run: Any, metrics: Any) -> None:
        self.calls.append(self.name)

    @hookimpl
    def vtk_stage_start(self, run: Any, stage: Any) -> None:
        self.calls.append(self.name)

    @hookimpl
    def vtk_step(self, run: Any, batch: Any) -> None:
        self.calls.append(self.name)


class Wrapping(Recorder):
    @hookimpl(wrapper=True)
    def vtk_fit(self, run: Any) -> Any:
        self.calls.append(f"{self.name} in")
        result = yield
        self.calls.append(f"{self.name} out")
        return result


class Task(Recorder):
    model: Any = None

    @hookimpl
    def vtk_config(self) -> Any:
        return Recipe

    @hookimpl
    def vtk_data(self, recipe: Any, run: Any) -> Any:
        return None

    @hookimpl
    def vtk_model(self, recipe: Any, data: Any) -> Any:
        return self.model

    @hookimpl
    def vtk_loss(self, recipe: Any, data: Any) -> Any:
        return None


class Core(Recorder):
    @hookimpl
    def vtk_fit(self, run: Any) -> bool:
        self.calls.append("core")
        return True


def loaded(plugin: Any, name: str, kind: Kind = "extension") -> LoadedPlugin:
    return LoadedPlugin(Plugin(name, kind, f"{name}:plugin", f"{name}-dist", "1.0", ""), plugin, Recipe)


def test_order_of_hooks() -> None:
    """The task, then the extensions in the recipe's order, then the core."""
    calls: list[str] = []
    extensions = [loaded(Recorder(name, calls), name) for name in ("first", "second", "third")]
    manager = build_manager(Core("core", calls), extensions, loaded(Task("task", calls), "task", "task"))
    expected = ["task", "first", "second", "third", "core"]
    for hook, arguments in {
        "vtk_epoch_end": {"run": 0, "metrics": {}},
        "vtk_stage_start": {"run": 0, "stage": 0},
        "vtk_step": {"run": 0, "batch": 0},
    }.items():
        calls.clear()
        getattr(manager.hook, hook)(**arguments)
        assert calls == expected, hook


def test_wrappers_nest_in_the_same_order() -> None:
    calls: list[str] = []
    extensions = [loaded(Wrapping(name, calls), name) for name in ("first", "second")]
    manager = build_manager(Core("core", calls), extensions, loaded(Task("task", calls), "task", "task"))
    assert manager.hook.vtk_fit(run=0) is True
    assert calls == ["first in", "second in", "core", "second out", "first out"]


def test_each_manager_is_fresh() -> None:
    calls: list[str] = []
    task = loaded(Task("task", calls), "task", "task")
    build_manager(Core("core", calls), [loaded(Recorder("only once", calls), "x")], task)
    manager = build_manager(Core("core", calls), [], task)
    manager.hook.vtk_epoch_end(run=0, metrics={})
    assert calls == ["task", "core"]


def test_a_task_and_an_extension_may_share_a_name() -> None:
    calls: list[str] = []
    extension, task = loaded(Recorder("e", calls), "same"), loaded(Task("t", calls), "same", "task")
    build_manager(Core("core", calls), [extension], task).hook.vtk_epoch_end(run=0, metrics={})
    assert calls == ["t", "e", "core"]


def test_faulty_plugins_are_refused_when_they_are_loaded() -> None:
    class Bad:
        def vtk_log(self, run: Any) -> None: ...

    with pytest.raises(VtkError, match=r"the extension 'bad' of bad-dist 1\.0 is not a valid plugin"):
        load_entry(Plugin("bad", "extension", "bad:plugin", "bad-dist", "1.0", "", given=Bad()))


def test_what_pluggy_refuses_is_told_as_the_plugins_fault() -> None:
    class Bad:
        @hookimpl(wrapper=True)
        def vtk_fit(self, run: Any) -> Any:
            return None  # a wrapper must yield

    with pytest.raises(VtkError, match=r"the extension 'bad' of bad-dist 1\.0 cannot be registered"):
        build_manager(Core("core", []), [loaded(Bad(), "bad")], loaded(Task("task", []), "task", "task"))


def test_a_hook_that_does_not_exist_is_refused_even_where_no_check_came_before() -> None:
    class Bad:
        @hookimpl
        def vtk_lgo(self, run: Any) -> None: ...

    with pytest.raises(VtkError, match="unknown hook 'vtk_lgo'"):
        check_registration(loaded(Bad(), "bad"))


def test_one_plugin_twice_is_told_as_an_error() -> None:
    plugin = Recorder("x", [])
    with pytest.raises(VtkError, match="cannot be registered"):
        build_manager(
            Core("core", []), [loaded(plugin, "a"), loaded(plugin, "b")], loaded(Task("task", []), "task", "task")
        )


def test_a_required_answer() -> None:
    task = Task("task", [])
    task.model = nn.Linear(1, 1)
    manager = build_manager(Core("core", []), [], loaded(task, "seg", "task"))
    assert call_required(manager, "vtk_model", recipe=0, data=0) is task.model
    with pytest.raises(VtkError) as caught:
        call_required(manager, "vtk_loss", recipe=0, data=0)
    text = str(caught.value)
    assert "the hook vtk_loss returned None; asked: task:seg-dist:seg" in text
    assert "is a 'return' missing?" in text


def test_an_answer_that_is_false_is_an_answer() -> None:
    task = Task("task", [])
    task.model = nn.Sequential()
    assert not task.model
    manager = build_manager(Core("core", []), [], loaded(task, "seg", "task"))
    assert call_required(manager, "vtk_model", recipe=0, data=0) is task.model
