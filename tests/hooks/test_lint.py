from __future__ import annotations

import inspect
from typing import Any

import pluggy
import pytest

from toolkit import hookimpl
from toolkit.errors import ExitCode, VtkError
from toolkit.hooks import specs
from toolkit.hooks.catalogue import Kind, Plugin
from toolkit.hooks.lint import REQUIRED, hook_names, implemented, lint


def entry(kind: Kind = "extension") -> Plugin:
    return Plugin("sample", kind, "sample_mod:plugin", "sample-dist", "1.2", "")


def findings(plugin: Any, kind: Kind = "extension") -> list[str]:
    with pytest.raises(VtkError) as caught:
        lint(plugin, entry(kind))
    assert caught.value.code == ExitCode.UNAVAILABLE
    head, *lines = caught.value.message.splitlines()
    assert head.startswith(f"the {kind} 'sample' of sample-dist 1.2")
    return [line.strip() for line in lines]


class Task:
    @hookimpl
    def vtk_config(self) -> None: ...

    @hookimpl
    def vtk_data(self, recipe: Any, run: Any) -> None: ...

    @hookimpl
    def vtk_model(self, recipe: Any, data: Any) -> None: ...

    @hookimpl
    def vtk_loss(self, recipe: Any, data: Any) -> None: ...


def test_a_good_task_passes() -> None:
    lint(Task(), entry("task"))


def test_a_required_hook_may_have_another_name() -> None:
    class Renamed(Task):
        vtk_data = None  # type: ignore[assignment]

        @hookimpl(specname="vtk_data")
        def data(self, recipe: Any) -> None: ...

    lint(Renamed(), entry("task"))


def test_a_name_alone_is_no_required_hook() -> None:
    class Elsewhere(Task):
        @hookimpl(specname="vtk_log")
        def vtk_data(self, run: Any) -> None: ...

    assert findings(Elsewhere(), "task") == [
        "vtk_data: a task must have this hook; add a method vtk_data marked @hookimpl"
    ]


@pytest.mark.parametrize("mark", ["wrapper", "hookwrapper"])
def test_a_wrapper_is_no_required_hook(mark: str) -> None:
    class Wraps(Task):
        @hookimpl(**{mark: True})
        def vtk_model(self) -> Any:
            yield

    assert findings(Wraps(), "task") == [
        "vtk_model: a task must have this hook; add a method vtk_model marked @hookimpl"
    ]


def test_an_extension_needs_no_hook() -> None:
    lint(object(), entry())


def test_hooks_may_leave_out_arguments_and_reorder_them() -> None:
    class Good:
        @hookimpl
        def vtk_epoch_end(self, metrics: Any) -> None: ...

        @hookimpl
        def vtk_step(self, batch: Any, run: Any) -> None: ...

        @hookimpl
        def vtk_report(self) -> None: ...

        @hookimpl(wrapper=True)
        def vtk_fit(self, run: Any) -> Any:
            return (yield)

    lint(Good(), entry())


def test_a_static_method_and_another_name_pass() -> None:
    class Good:
        @staticmethod
        @hookimpl
        def vtk_log(run: Any, records: Any) -> None: ...

        @hookimpl(specname="vtk_log")
        def also(self, records: Any) -> None: ...

    lint(Good(), entry())


def test_a_module_passes() -> None:
    import types

    module = types.ModuleType("plugin_module")

    @hookimpl
    def vtk_epoch_end(run: Any) -> None: ...

    module.vtk_epoch_end = vtk_epoch_end  # type: ignore[attr-defined]
    module.helper = lambda: None  # type: ignore[attr-defined]
    lint(module, entry())


def test_undecorated() -> None:
    class Bad:
        def vtk_epoch_end(self, run: Any) -> None: ...

    assert findings(Bad()) == [
        "vtk_epoch_end: not marked as a hook implementation, so it would never be called; put @hookimpl above it"
    ]


@pytest.mark.parametrize("optional", [False, True])
def test_misspelt(optional: bool) -> None:
    class Bad:
        @hookimpl(optionalhook=optional)
        def vtk_epoch_ended(self, run: Any) -> None: ...

    assert findings(Bad()) == ["vtk_epoch_ended: there is no such hook; did you mean 'vtk_epoch_end'?"]


def test_misspelt_and_undecorated() -> None:
    class Bad:
        def vtk_modle(self) -> None: ...

    assert findings(Bad()) == ["vtk_modle: there is no such hook; did you mean 'vtk_model'?"]


def test_unlike_any_hook() -> None:
    class Bad:
        @hookimpl
        def vtk_zzz(self) -> None: ...

    (found,) = findings(Bad())
    assert found.startswith("vtk_zzz: there is no such hook; hooks: vtk_config, ")


def test_misspelt_specname() -> None:
    class Bad:
        @hookimpl(specname="vtk_lgo")
        def log(self, run: Any) -> None: ...

    assert findings(Bad()) == ["log: there is no such hook; did you mean 'vtk_log'?"]


def test_argument_with_a_default() -> None:
    class Bad:
        @hookimpl
        def vtk_step(self, run: Any, batch: Any = None) -> None: ...

    assert findings(Bad()) == [
        "vtk_step: the argument 'batch' has a default, so pluggy would never pass it; remove the default"
    ]


def test_unknown_argument() -> None:
    class Bad:
        @hookimpl
        def vtk_model(self, recipe: Any, dta: Any) -> None: ...

    assert findings(Bad()) == [
        "vtk_model: unknown argument 'dta'; did you mean 'data'? the arguments of vtk_model are (recipe, data)"
    ]


@pytest.mark.parametrize("star", ["*args", "**kwargs"])
def test_starred_argument(star: str) -> None:
    space: dict[str, Any] = {"hookimpl": hookimpl}
    exec(f"class Bad:\n    @hookimpl\n    def vtk_fit(self, {star}): ...", space)
    (found,) = findings(space["Bad"]())
    assert "which pluggy never fills" in found


def test_a_class_instead_of_an_instance() -> None:
    assert findings(Task, "task") == ["Task: the entry point names a class; name an instance, e.g. plugin = Task()"]


def test_what_is_required() -> None:
    assert REQUIRED == {"task": ("vtk_config", "vtk_data", "vtk_model", "vtk_loss"), "extension": ()}


def test_the_hooks_that_a_plugin_has_by_whatever_name() -> None:
    class Good:
        @hookimpl(specname="vtk_log")
        def written(self, records: Any) -> None: ...

        @hookimpl
        def vtk_fit(self, run: Any) -> None: ...

        def helper(self) -> None: ...

    assert implemented(Good()) == ["vtk_log", "vtk_fit"]


@pytest.mark.parametrize("count", [1, 3, 4, 9])
def test_however_many_faults_the_message_has_five_lines_at_most(count: int) -> None:
    hooks = {f"vtk_zzz{i}": hookimpl(lambda self: None) for i in range(count)}
    with pytest.raises(VtkError) as caught:
        lint(type("Bad", (), hooks)(), entry())
    lines = str(caught.value).splitlines()
    assert len(lines) == min(count + 2, 5)
    assert (f"and {count - 2} more like these" in str(caught.value)) == (count > 3)


@pytest.mark.parametrize("missing", REQUIRED["task"])
def test_required_hook_missing(missing: str) -> None:
    bare = type("Bare", (), {name: hook for name, hook in vars(Task).items() if name in REQUIRED["task"]})
    delattr(bare, missing)
    assert findings(bare(), "task") == [
        f"{missing}: a task must have this hook; add a method {missing} marked @hookimpl"
    ]


def test_every_fault_is_listed() -> None:
    class Bad:
        def vtk_log(self) -> None: ...

        @hookimpl
        def vtk_setp(self) -> None: ...

    assert len(findings(Bad())) == 2


def test_properties_are_not_run() -> None:
    class Shy:
        @property
        def vtk_secret(self) -> Any:
            raise AssertionError("read")

    lint(Shy(), entry())


def test_what_pluggy_lets_pass_is_why_this_exists() -> None:
    """Should pluggy refuse these one day, our own check may go."""

    class Bad:
        def vtk_log(self, run: Any) -> None: ...

        @hookimpl(optionalhook=True)
        def vtk_lgo(self) -> None: ...

        @hookimpl
        def vtk_step(self, run: Any = None) -> None: ...

    manager = pluggy.PluginManager("vtk")
    manager.add_hookspecs(specs)
    manager.register(Bad())
    manager.check_pending()


def test_every_hook_is_known_and_documented() -> None:
    marked = [name for name, value in vars(specs).items() if hasattr(value, "vtk_spec")]
    assert list(hook_names()) == marked
    for name in marked:
        assert inspect.getdoc(getattr(specs, name))
