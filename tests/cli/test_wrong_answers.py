"""What an author reads whose hook answers what it may not: hook, plugin, distribution, what came, what must come."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from plugin_site import Site

from toolkit.errors import ExitCode

RECIPE = """
task: denoise
train: {epochs: 1, batch_size: 8}
loader: {workers: 0}
data: {count: 16}
extensions: {tensorboard: false, checkpoints: false, metrics: false, progress: false}
"""
HEAD = """
import torch
from toy_task import NoisyNumbers, ToyTask
from torch import nn
from toolkit import Data, Figure, OptimizerSetup, Table, hookimpl

class Denoise(ToyTask):
"""
OWNER = "of the task 'denoise' (vtk-denoise 0.1.0)"

Vtk = Callable[..., tuple[int, str, str]]


def denoise(folder: Path, hooks: str) -> Site:
    """A folder in which the task is installed."""
    site = Site(folder)
    folder.mkdir()
    body = textwrap.indent(textwrap.dedent(hooks), "    ")
    modules = {"vtk_denoise": f"{HEAD}{body}\nplugin = Denoise()\n"}
    site.install("vtk-denoise", version="0.1.0", tasks={"denoise": "vtk_denoise:plugin"}, modules=modules)
    return site


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a finished run, for whatever the task says of files later."""
    from toolkit.cli import main

    folder = tmp_path_factory.mktemp("trained")
    (folder / "denoise.yaml").write_text(RECIPE)
    with denoise(folder / "site", "pass").active():
        assert main(["run", str(folder / "denoise.yaml"), "--quiet", "--out", str(folder / "out")]) == ExitCode.OK
    return folder / "out"


@pytest.fixture
def author(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Callable[[str], Vtk]]:
    """Installs a task with the given hooks over the toy's, and gives ``vtk`` in a folder with a recipe of it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "denoise.yaml").write_text(RECIPE)
    with ExitStack() as stack:

        def install(hooks: str) -> Vtk:
            stack.enter_context(denoise(tmp_path / "site", hooks).active())
            return vtk

        def vtk(*args: object) -> tuple[int, str, str]:
            from toolkit.cli import main

            code = main([str(arg) for arg in args])
            out, err = capfd.readouterr()
            return code, out, err

        yield install


def hook(name: str, body: str) -> str:
    """A hook without arguments, with one expression or statement as its body."""
    return f"@hookimpl\ndef {name}(self):\n    {body}\n"


def loss(expression: str) -> str:
    """A loss of the toy's output ``o`` and targets ``t``."""
    return hook("vtk_loss", f"return lambda o, b, mse=nn.functional.mse_loss: (lambda t: {expression})(b.targets)")


CASES = [
    (
        hook("vtk_data", "return NoisyNumbers(8, 0.0), None"),
        "vtk_data",
        "a tuple of 2 (NoisyNumbers, NoneType)",
        "Data(",
    ),
    (hook("vtk_data", "return {'train': 1}"), "vtk_data", "a dict", "it must return toolkit.Data("),
    (hook("vtk_model", "return nn.Linear"), "vtk_model", "the class Linear", "it must return a torch.nn.Module"),
    (hook("vtk_model", "return lambda x: x"), "vtk_model", "the function <lambda>", "a torch.nn.Module"),
    (hook("vtk_loss", "return torch.tensor(1.0)"), "vtk_loss", "a Tensor of shape ()", "it must return a function"),
    (hook("vtk_optimizer", "return 'adam'"), "vtk_optimizer", "the str 'adam'", "a torch.optim.Optimizer"),
    (
        "@hookimpl\ndef vtk_optimizer(self, model):\n    return torch.optim.SGD(model.parameters(), lr=0.1), None\n",
        "vtk_optimizer",
        "a tuple of 2 (SGD, NoneType)",
        "toolkit.OptimizerSetup(optimizer, scheduler)",
    ),
    (hook("vtk_optimizer", "return OptimizerSetup('adam')"), "vtk_optimizer", "an OptimizerSetup", "torch.optim.Optim"),
    (hook("vtk_metrics", "return {'mae': 1}"), "vtk_metrics", "a dict", "torchmetrics.MetricCollection({"),
    (
        hook("vtk_metrics", "import torchmetrics; return torchmetrics.MeanAbsoluteError()"),
        "vtk_metrics",
        "a MeanAbsoluteError",
        "torchmetrics.MetricCollection({",
    ),
    (hook("vtk_inference", "return 'model'"), "vtk_inference", "the str 'model'", "or None for the model itself"),
]


@pytest.mark.parametrize(("hooks", "name", "came", "wanted"), CASES)
def test_an_answer_that_does_not_fit(
    hooks: str, name: str, came: str, wanted: str, author: Callable[[str], Vtk]
) -> None:
    code, _, err = author(hooks)("run", "denoise.yaml", "--quiet")
    first, second = err.strip().splitlines()[-2:]
    assert code == ExitCode.UNAVAILABLE
    assert first == f"error: {name} {OWNER} returned {came}"
    assert wanted in second
    assert "Traceback" not in err


REPORTS = [
    ("return {'loss': 1}", "vtk_report {owner} returned a dict", "a list of toolkit.Figure and toolkit.Table"),
    ("return [Table('a', 'b', [], []), 3]", "vtk_report {owner} returned a list of 2 (Table, int)", "toolkit.Fig"),
    ("raise ValueError('no colour left')", "ValueError: no colour left", "raised in vtk_report of the task denoise"),
    ("return [Table('a', 'b', ['c'], [3])]", "the table 'a': TypeError", "not iterable"),
    ("return [toolkit.Figure('a', 'b', lambda path: 1 / 0)]", "the figure 'a': ZeroDivisionError", "vtk-denoise"),
    ("return [toolkit.Figure('a', 'b', lambda path: None)]", "the figure 'a': FileNotFoundError", "a.png"),
]


@pytest.mark.parametrize(("body", "what", "more"), REPORTS)
def test_a_report_that_cannot_be_made_fails_no_run_and_is_told(
    body: str, what: str, more: str, author: Callable[[str], Vtk], tmp_path: Path
) -> None:
    hooks = hook("vtk_report", f"import toolkit; {body}" if "toolkit." in body else body)
    code, _, err = author(hooks)("run", "denoise.yaml", "--json", "--out", "r")
    assert code == 0, err
    line = next(line for line in err.splitlines() if line.startswith("warning: the report lacks "))
    assert what.format(owner=OWNER) in line
    assert more in line
    report = json.loads((tmp_path / "r/report/report.json").read_text())
    (missing,) = report["missing"]
    assert line == f"warning: the report lacks {missing['part']}: {missing['why']}"
    assert "Not in this report" in (tmp_path / "r/report/index.html").read_text()
    assert json.loads((tmp_path / "r/status.json").read_text())["status"] == "finished"


def test_a_report_that_cannot_be_made_fails_no_evaluation(author: Callable[[str], Vtk], trained: Path) -> None:
    code, out, err = author(hook("vtk_report", "return [Figure('a', 'b', lambda path: 1 / 0)]"))(
        "eval", trained, "--report", "r", "--json"
    )
    assert code == 0
    assert json.loads(out)["metrics"]
    assert "warning: the report lacks the figure 'a': ZeroDivisionError" in err


STATE = """
@hookimpl
def vtk_epoch_end(self, run):
    run.state["denoise"] = {"seen": torch.arange(3), "epochs": run.epoch}

@hookimpl
def vtk_report(self, run, result):
    kept = run.state["denoise"]
    return [Table("kept", "c", ["seen", "epochs"], [[kept["seen"].tolist(), kept["epochs"]]])]
"""


def test_an_evaluation_has_the_state_that_the_run_left(author: Callable[[str], Vtk], tmp_path: Path) -> None:
    vtk = author(STATE)
    assert vtk("run", "denoise.yaml", "--quiet", "--out", "r", "--set", "train.epochs=2")[0] == 0
    code, out, err = vtk("eval", "r", "--json")
    assert (code, err.count("warning")) == (0, 0)
    assert json.loads(out)["tables"]["kept"]["rows"] == [[[0, 1, 2], 2]]
    state = next((tmp_path / "r/checkpoints").glob("end-*")) / "state.json"
    state.write_bytes(state.read_bytes()[:-3])
    code, _, err = vtk("eval", "r", "--json")
    assert code == ExitCode.DATA
    assert str(Path("r/checkpoints/end-")) in err


LOSSES = [
    (loss("0.5"), "the float 0.5", "a loss is a scalar tensor"),
    (loss("None"), "None", "a loss is a scalar tensor"),
    (loss("{'mse': 0.5}"), "the float 0.5 as the term 'mse'", "names to scalar tensors"),
    (loss("{'mse': (o - t) ** 2}"), "a Tensor of shape (8, 1) as the term 'mse'", "names to scalar tensors"),
    (loss("{}"), "a mapping without terms", "names to scalar tensors"),
    (loss("((o - t) ** 2).flatten()"), "a Tensor of shape (8,)", "take its mean: loss.mean()"),
    (loss("mse(o, t).detach()"), "a loss without a gradient", "without .item(), .detach()"),
    (loss("{'mse': mse(o.detach(), t)}"), "a loss without a gradient", "without .item(), .detach()"),
]


@pytest.mark.parametrize(("hooks", "came", "wanted"), LOSSES)
def test_a_loss_that_is_none(hooks: str, came: str, wanted: str, author: Callable[[str], Vtk]) -> None:
    code, _, err = author(hooks)("run", "denoise.yaml", "--quiet")
    first, second = err.strip().splitlines()[-2:]
    assert code == ExitCode.UNAVAILABLE
    assert first == f"error: the function from vtk_loss {OWNER} returned {came}"
    assert wanted in second


def test_a_loss_that_is_none_among_several_batches_of_one_step(author: Callable[[str], Vtk]) -> None:
    code, _, err = author(loss("(o - t) ** 2"))("run", "denoise.yaml", "--quiet", "--set", "train.accumulate=2")
    assert code == ExitCode.UNAVAILABLE
    assert f"error: the function from vtk_loss {OWNER} returned a Tensor of shape (8, 1)" in err


def test_a_loss_that_is_none_in_evaluation_only(author: Callable[[str], Vtk]) -> None:
    code, _, err = author(loss("mse(o, t) if o.requires_grad else (o - t) ** 2"))("run", "denoise.yaml", "--quiet")
    assert code == ExitCode.UNAVAILABLE
    assert f"error: the function from vtk_loss {OWNER} returned a Tensor of shape (8, 1)" in err


def test_a_step_without_a_loss(author: Callable[[str], Vtk]) -> None:
    code, _, err = author(hook("vtk_step", "return 0.5"))("run", "denoise.yaml", "--quiet")
    assert code == ExitCode.UNAVAILABLE
    assert f"error: vtk_step {OWNER} returned the float 0.5" in err


def test_an_error_of_the_model_stays_the_models(author: Callable[[str], Vtk]) -> None:
    """What goes wrong before there is a loss, or beside a good one, is not told as the loss's fault."""
    code, _, err = author(hook("vtk_model", "return nn.Linear(3, 1)"))("run", "denoise.yaml", "--quiet")
    assert code == ExitCode.BUG
    assert "mat1 and mat2 shapes cannot be multiplied" in err
    assert "vtk_loss" not in err.splitlines()[-1]


def test_a_transform_without_a_batch(author: Callable[[str], Vtk]) -> None:
    data = "return Data(train=NoisyNumbers(16, 0.0), transform=lambda batch, key: None)"
    code, _, err = author(hook("vtk_data", data))("run", "denoise.yaml", "--quiet")
    assert code == ExitCode.UNAVAILABLE
    assert f"error: Data.transform, which vtk_data {OWNER} gave, returned None\n  it must return the batch" in err


def test_a_survey_that_is_none(author: Callable[[str], Vtk]) -> None:
    code, out, err = author(hook("vtk_survey", "return ['a.png']"))("check", "denoise.yaml", "--report")
    assert code != ExitCode.OK
    assert f"vtk_survey {OWNER} returned a list of 1 (str)" in out + err


def test_the_answer_is_told_as_that_of_whoever_gave_it(author: Callable[[str], Vtk], tmp_path: Path) -> None:
    """An extension that wraps the task's hook and changes its answer is named, and one that lets it through is not."""
    vtk = author("pass")
    source = """
    from toolkit import hookimpl

    class Wrapping:
        def __init__(self, changes):
            self.changes = changes

        @hookimpl(wrapper=True)
        def vtk_model(self):
            model = yield
            return [model] if self.changes else model

    through, changing = Wrapping(False), Wrapping(True)
    """
    points = {"through": "vtk_wraps:through", "changing": "vtk_wraps:changing"}
    Site(tmp_path / "site").install("vtk-wraps", extensions=points, modules={"vtk_wraps": source})
    chosen = ["--set", "extensions.changing=true", "--set", "extensions.through=true"]
    code, _, err = vtk("run", "denoise.yaml", "--quiet", *chosen)
    assert code == ExitCode.UNAVAILABLE
    assert "error: vtk_model of the extension 'changing' (vtk-wraps 1.0) returned a list of 1 (Sequential)" in err


def predicts(answer: str) -> str:
    """A task that predicts; ``answer`` is an expression of ``inputs`` and ``drawings``."""
    return f"@hookimpl\ndef vtk_predict(self, inputs, drawings):\n    return {answer}\n"


PREDICTIONS = [
    ("{'a': 1}", "a dict"),
    ("[3 for path in inputs]", "a list of 2 (int)"),
    ("[{'file': 'a'}]", "1 record for 2 files"),
    ("[{'file': 'a', 'value': torch.ones(2)} for path in inputs]", "a record with a Tensor of shape (2,) as 'value'"),
    ("[{'file': path} for path in inputs]", "a record with a PosixPath as 'file'"),
]


@pytest.mark.parametrize(("answer", "came"), PREDICTIONS)
def test_predictions_that_are_none(
    answer: str, came: str, author: Callable[[str], Vtk], trained: Path, tmp_path: Path
) -> None:
    vtk = author(predicts(answer))
    for name in "ab":
        (tmp_path / name).write_text(name)
    code, out, err = vtk("predict", trained, "a", "b", "--json")
    assert code == ExitCode.UNAVAILABLE
    assert err.startswith(f"error: vtk_predict {OWNER} returned {came}")
    assert out == ""


def test_a_drawing_that_is_missing(author: Callable[[str], Vtk], trained: Path, tmp_path: Path) -> None:
    hooks = predicts("[{'file': str(p), 'done': drawings and p.name == 'a' and d.write_text('') or 0} "
                     "for p, d in zip(inputs, drawings or inputs)]")  # fmt: skip
    vtk = author(hooks)
    for name in "ab":
        (tmp_path / name).write_text(name)
    code, out, err = vtk("predict", trained, "a", "b", "--draw", "drawn", "--json")
    assert code == ExitCode.DATA
    assert [record.get("drawing") for record in json.loads(out)["predictions"]] == ["drawn/a.png", None]
    assert err.startswith(f"error: b: was not drawn: vtk_predict {OWNER} takes `drawings`")
    assert err.count("error:") == 1


FLAGS = [
    (
        "Option('--count', key='data.cuont', help='.')",
        "--count: the schema has no key 'data.cuont'; did you mean 'data.co",
    ),
    ("Option('--n', key='zzzz', help='.')", "--n: the schema has no key 'zzzz'"),
]


@pytest.mark.parametrize(("option", "fault"), FLAGS)
def test_a_flag_that_leads_nowhere(option: str, fault: str, author: Callable[[str], Vtk]) -> None:
    """It is told although nobody gives the flag, and by ``vtk plugins --check``."""
    vtk = author(hook("vtk_options", f"from toolkit import Option; return [{option}]"))
    for command in (["run", "denoise.yaml"], ["check", "denoise.yaml"]):
        code, _, err = vtk(*command)
        assert code == ExitCode.UNAVAILABLE
        assert "the task 'denoise' of vtk-denoise 0.1.0 has flags that lead nowhere" in err
        assert fault in err
    code, out, _ = vtk("plugins", "--check", "--timeout", "600")
    assert code == ExitCode.CHECK_FAILED
    assert fault in out


def test_flags_that_are_none(author: Callable[[str], Vtk]) -> None:
    code, _, err = author(hook("vtk_options", "return ['--count']"))("check", "denoise.yaml")
    assert code == ExitCode.UNAVAILABLE
    assert f"vtk_options {OWNER} returned a list of 1 (str)" in err


def test_an_error_in_a_hook_is_told_as_its_plugins(author: Callable[[str], Vtk]) -> None:
    code, _, err = author(hook("vtk_survey", "return torch.ones(3).reshape(2)"))("check", "denoise.yaml", "--report")
    assert code == ExitCode.BUG
    assert err.startswith("Traceback")
    last = err.strip().splitlines()[-1]
    assert last.startswith(
        "error: raised in vtk_survey of the task denoise (vtk-denoise 0.1.0), which is not a part of"
    )


def test_an_error_in_a_plugin_is_for_its_author(author: Callable[[str], Vtk], tmp_path: Path) -> None:
    vtk = author(hook("vtk_data", "return {}['no such key']"))
    info = tmp_path / "site" / "vtk_denoise-0.1.0.dist-info" / "METADATA"
    info.write_text(info.read_text() + "Project-URL: Homepage, https://example.org/denoise\n")
    code, _, err = vtk("run", "denoise.yaml", "--quiet", "--set", "extensions.progress=true")
    assert code == ExitCode.BUG
    said = "raised in vtk_data of the task denoise (vtk-denoise 0.1.0), whose author is at https://example.org/denoise"
    assert err.strip().splitlines()[-1] == f"error: {said}; please report it with the lines above"


def test_an_error_that_passes_a_wrapper_is_not_the_wrappers(author: Callable[[str], Vtk], tmp_path: Path) -> None:
    """The model's own error goes through the ``yield`` of an extension, in whose code nothing is wrong."""
    vtk = author(hook("vtk_model", "return nn.Linear(3, 1)"))
    source = """
    from toolkit import hookimpl

    class Wrapping:
        @hookimpl(wrapper=True)
        def vtk_fit(self):
            return (yield)

    plugin = Wrapping()
    """
    site = Site(tmp_path / "site")
    site.install("vtk-wraps", extensions={"wraps": "vtk_wraps:plugin"}, modules={"vtk_wraps": source})
    code, _, err = vtk("run", "denoise.yaml", "--quiet", "--set", "extensions.wraps=true")
    assert code == ExitCode.BUG
    assert "vtk_wraps.py" in err
    assert err.strip().splitlines()[-1].startswith("error: this is a bug in the toolkit or in a plugin")


def test_an_error_beyond_the_hooks_is_told_as_its_plugins(author: Callable[[str], Vtk]) -> None:
    """A data set's, which no hook's call is around; and not as that of an extension whose wrapper it passes."""
    data = """
    @hookimpl
    def vtk_data(self):
        class Broken(NoisyNumbers):
            def __getitem__(self, index):
                return {}["no such sample"]
        return Data(train=Broken(16, 0.0))
    """
    code, _, err = author(data)("run", "denoise.yaml", "--quiet", "--set", "extensions.progress=true")
    assert code == ExitCode.BUG
    last = err.strip().splitlines()[-1]
    assert last.startswith("error: raised in Denoise.vtk_data.<locals>.Broken.__getitem__ (")
    assert " of the task denoise (vtk-denoise 0.1.0)" in last


UNLOADABLE = [
    ("import nosuchmodule", "ModuleNotFoundError: No module named 'nosuchmodule'", 7),
    ("def broken(: pass", "SyntaxError: invalid syntax", 7),
]


@pytest.mark.parametrize("editable", [False, True])
@pytest.mark.parametrize(("line", "fault", "number"), UNLOADABLE)
def test_a_plugin_that_cannot_be_loaded(
    line: str, fault: str, number: int, editable: bool, author: Callable[[str], Vtk], tmp_path: Path
) -> None:
    """The author reads the file and line; who edits the package in its own folder need not update it from an index."""
    vtk = author("pass")
    module = tmp_path / "site" / "vtk_denoise.py"
    lines = module.read_text().splitlines()
    module.write_text("\n".join([*lines[: number - 1], line, *lines[number - 1 :]]))
    if editable:
        document = {"url": (tmp_path / "my plugin").as_uri(), "dir_info": {"editable": True}}
        (tmp_path / "site" / "vtk_denoise-0.1.0.dist-info" / "direct_url.json").write_text(json.dumps(document))
    code, _, err = vtk("check", "denoise.yaml")
    assert code == ExitCode.UNAVAILABLE
    said = err.strip().splitlines()
    assert len(said) == 5
    assert fault in said[2]
    assert said[3] == f"  at {module}:{number}; --traceback shows the way there"
    assert ("pip install -U" in said[4]) is not editable
    assert (f"mend it in {tmp_path / 'my plugin'}," in said[4]) is editable
    assert "VTK_DISABLE_PLUGINS=vtk-denoise:denoise" in said[4]


METAS = [
    ("{'size': (1, 2)}", "data.meta['size'] of vtk_data", "is a tuple, which JSON turns into a list; use a list"),
    ("{'a': [{'b': (1,)}]}", "data.meta['a'][0]['b'] of vtk_data", "is a tuple, which JSON turns"),
    ("{'names': {1: 'one'}}", "data.meta['names'] of vtk_data", "has the key 1 (int), which JSON turns into text"),
    ("{'root': __import__('pathlib').PurePosixPath('a')}", "data.meta['root'] of vtk_data", "use str(...)"),
    ("{'mean': torch.ones(3)}", "data.meta['mean'] of vtk_data", "is of type torch.Tensor, which JSON cannot say"),
    ("{'classes': {'a', 'b'}}", "data.meta['classes'] of vtk_data", "is of type set"),
    ("{'mean': float('nan')}", "data.meta['mean'] of vtk_data", "is nan, for which JSON has no number"),
]


@pytest.mark.parametrize(("meta", "place", "fault"), METAS)
def test_meta_that_no_bundle_can_hold(meta: str, place: str, fault: str, author: Callable[[str], Vtk]) -> None:
    vtk = author(hook("vtk_data", f"return Data(train=NoisyNumbers(16, 0.0), meta={meta})"))
    for command in (["run", "denoise.yaml", "--quiet", "--out", "out"], ["check", "denoise.yaml"]):
        code, _, err = vtk(*command)
        assert code == ExitCode.UNAVAILABLE
        said = next(line for line in err.splitlines() if line.startswith("error:"))
        assert said.startswith(f"error: {place} {OWNER} ")
        assert fault in said
    assert not Path("out/bundle").exists()


def test_meta_that_is_calibrated_into_what_no_bundle_can_hold(author: Callable[[str], Vtk]) -> None:
    hooks = "@hookimpl\ndef vtk_calibrate(self, run):\n    run.data.meta['limits'] = (0.1, 0.9)\n"
    code, _, err = author(hooks)("run", "denoise.yaml", "--quiet")
    assert code == ExitCode.UNAVAILABLE
    assert f"error: data.meta['limits'] of vtk_calibrate {OWNER} is a tuple" in err


LEAVES = "__import__('sys').exit()"
EXITS = [
    ("vtk_data", hook("vtk_data", LEAVES), "run"),
    ("vtk_model", hook("vtk_model", LEAVES), "check"),
    ("vtk_epoch_end", hook("vtk_epoch_end", LEAVES), "run"),
    ("vtk_fit", "@hookimpl(wrapper=True)\ndef vtk_fit(self):\n    yield\n    import sys; sys.exit(0)\n", "run"),
    ("vtk_step", hook("vtk_step", LEAVES), "run"),
]


@pytest.mark.parametrize(("name", "hooks", "verb"), EXITS)
def test_a_hook_that_leaves_ends_in_failure(name: str, hooks: str, verb: str, author: Callable[[str], Vtk]) -> None:
    code, _, err = author(hooks)(verb, "denoise.yaml")
    assert code == ExitCode.UNAVAILABLE
    said = next(line for line in err.splitlines() if line.startswith("error:"))
    assert "vtk_denoise.py:" in said
    assert f": {name} {OWNER} called sys.exit(" in said


def test_a_loss_that_leaves_ends_in_failure(author: Callable[[str], Vtk]) -> None:
    """The hook itself has answered by then, so only the place says whose it is."""
    code, _, err = author(loss(LEAVES))("run", "denoise.yaml", "--quiet", "--out", "out")
    assert code == ExitCode.UNAVAILABLE
    assert "vtk_denoise.py:" in err
    assert "a plugin or a library called sys.exit()" in err
    status = json.loads(Path("out/status.json").read_text())
    assert (status["status"], status["reason"]) == ("failed", "a plugin or a library called sys.exit()")


@pytest.mark.parametrize(
    ("name", "args"), [("vtk_predict", ("predict", "a")), ("vtk_data", ("eval",)), ("vtk_metrics", ("eval",))]
)
def test_a_finished_run_whose_hook_leaves(
    name: str, args: tuple[str, ...], author: Callable[[str], Vtk], trained: Path, tmp_path: Path
) -> None:
    vtk = author(hook(name, LEAVES))
    (tmp_path / "a").write_text("a")
    code, _, err = vtk(args[0], trained, *args[1:])
    assert code == ExitCode.UNAVAILABLE
    assert f": {name} {OWNER} called sys.exit()" in err


OWN_FLAGS = [
    ("--steps-per", ()),
    *((flag, ("run",)) for flag in ("--trace-hooks", "--resume", "--quiet", "--out", "--help", "--traceback")),
    *((flag, ("check",)) for flag in ("--report", "--no-report", "--html", "--data", "--no-plugins")),
    *((flag, ("tune",)) for flag in ("--lr", "--from", "--to", "--rates")),
    ("--split", ("eval",)),
    ("--seconds", ("bench",)),
    ("--set", ("run", "check", "tune", "bench")),
]


@pytest.mark.parametrize(("flag", "verbs"), OWN_FLAGS)
def test_a_flag_that_a_verb_has_itself(flag: str, verbs: tuple[str, ...], author: Callable[[str], Vtk]) -> None:
    """Whichever verb is called: one that has no such option itself would take the task's, and mean something else."""
    options = f"from toolkit import Option; return [Option({flag!r}, key='data.count', help='.')]"
    code, _, err = author(hook("vtk_options", options))("check", "denoise.yaml", *(() if verbs else (flag, "16")))
    if not verbs:
        assert (code, err) == (ExitCode.OK, "")
        return
    assert code == ExitCode.UNAVAILABLE
    assert "the task 'denoise' of vtk-denoise 0.1.0 has flags that cannot be given:" in err
    (said,) = [line for line in err.splitlines() if line.startswith(f"  {flag}: that is an option of ")]
    assert all(f"vtk {verb}" in said for verb in verbs)


def test_the_flags_of_the_tasks_that_come_with_the_toolkit_can_be_given() -> None:
    from toolkit.hooks.catalogue import Catalogue
    from toolkit.recipe.plugins import load_entry, options_of

    flags = {p.name: {o.flag for o in options_of(load_entry(p))} for p in Catalogue(disabled=()).plugins if p.builtin
             and p.kind == "task"}  # fmt: skip
    assert {"--content", "--style", "--output", "--size", "--steps"} <= flags["style"]
    assert "--images" in flags["classification"]
