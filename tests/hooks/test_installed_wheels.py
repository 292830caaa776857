"""A bad plugin hurts only itself: wheels of a dozen distributions, installed in an environment, and the real ``vtk``.

Each module that is not to be imported leaves a mark where it is.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from installed import Environment, build_wheel, make_environment
from plugin_site import EXTENSIONS, GOOD_TASK, TASKS
from tiny_wheels import write_wheel

from toolkit.hooks.catalogue import Catalogue

ROOT = Path(__file__).parents[2]
TOY = (ROOT / "tests" / "helpers" / "toy_task.py").read_text()
HAVE = "0.1.0"

MARK = """
import os, pathlib
if folder := os.environ.get("TEST_MARKS"):
    pathlib.Path(folder, __name__).touch()
"""

LOGGER = """
from toolkit import Section, hookimpl

class Options(Section):
    word: str = "nothing"

class Logger:
    @hookimpl
    def vtk_config(self):
        return Options

    @hookimpl
    def vtk_epoch_end(self, run, metrics):
        with open(run.directory / "logged", "a") as file:
            file.write("{who} " + run.options("logger").word + "\\n")

extension = Logger()
"""

BROKEN = {
    "noimport": (
        "import a_module_that_is_not_there",
        "ModuleNotFoundError: No module named 'a_module_that_is_not_there'",
    ),
    "exits": ("raise SystemExit(3)", "SystemExit: 3"),
    "config": (GOOD_TASK.replace("return Recipe", "return 1 / 0"), "ZeroDivisionError: division by zero"),
    "register": (
        GOOD_TASK.replace("plugin = Task()", "")
        + "class Wraps(Task):\n    @hookimpl(wrapper=True)\n    def vtk_fit(self, run): ...\nplugin = Wraps()\n",
        "Declared as wrapper=True or hookwrapper=True but function is not a generator function",
    ),
    "misspelt": (
        GOOD_TASK + "Task.vtk_modle = Task.vtk_model\nTask.vtk_los = Task.vtk_loss\nTask.vtk_fitt = Task.vtk_loss\n"
        "Task.vtk_dat = Task.vtk_loss\n",
        "there is no such hook; did you mean 'vtk_data'?",
    ),
    "refuses": (
        "from toolkit import VtkError\nraise VtkError('needs the lens driver\\n(libre-lens)', place='vtk_refuses.py', "
        "hint='install it:\\n  apt install libre-lens')",
        "vtk_refuses.py: needs the lens driver (libre-lens)\n  install it: apt install libre-lens\n",
    ),
    "flags": (
        GOOD_TASK + "from toolkit import VtkError\ndef flags(self): raise VtkError('no flags today')\n"
        "Task.vtk_options = hookimpl(flags)\n",
        "no flags today\n  update it (pip install -U vtk-flags), or do without: VTK_DISABLE_PLUGINS=vtk-flags:flags",
    ),
    "nowhere": (None, "ModuleNotFoundError: No module named 'vtk_nowhere"),
    "empty": ("", "AttributeError: module 'vtk_empty' has no attribute 'plugin'"),
}
"""The source of each broken plugin (None: no module at all), and what is said of it."""


def wheels(folder: Path) -> Iterator[Path]:
    """Each distribution of these tests."""
    for name, (source, _) in BROKEN.items():
        files = {} if source is None else {f"vtk_{name}.py": f"{MARK}\n{source}"}
        yield write_wheel(folder, f"vtk-{name}", files, points={TASKS: {name: f"vtk_{name}:plugin"}})
    slow = f"{MARK}\nimport os, time\ntime.sleep(float(os.environ.get('TEST_SLEEP', 5)))\nplugin = object()\n"
    yield write_wheel(
        folder, "vtk-slow", {"vtk_slow.py": slow}, points={EXTENSIONS: {"slow": "vtk_slow:plugin"}}, version="5.0"
    )
    for who in ("one", "two"):
        files = {f"seg_{who}.py": MARK + GOOD_TASK, f"logger_{who}.py": LOGGER.replace("{who}", who)}
        points = {TASKS: {"seg": f"seg_{who}:plugin"}, EXTENSIONS: {"logger": f"logger_{who}:extension"}}
        yield write_wheel(folder, f"vtk-{who}", files, points=points)
    shadow = {TASKS: {"classification": "vtk_shadow:plugin"}, EXTENSIONS: {"progress": "vtk_shadow:plugin"}}
    yield write_wheel(folder, "vtk-shadow", {"vtk_shadow.py": MARK + GOOD_TASK}, points=shadow)
    ahead = {"vtk_ahead.py": MARK + GOOD_TASK}
    yield write_wheel(
        folder, "vtk-ahead", ahead, points={TASKS: {"ahead": "vtk_ahead:plugin"}}, requires=["vision-toolkit>=2"]
    )
    recipe = "# The toy.\ntask: fine\ntrain: {epochs: 2}\nextensions: {vtk-one:logger: {word: hello}}\n"
    fine = {
        "vtk_fine/__init__.py": "",
        "vtk_fine/toy.py": TOY,
        "vtk_fine/recipes/fine.yaml": recipe,
        "vtk_fine/recipes/digits.yaml": recipe,
    }
    points = {TASKS: {"fine": "vtk_fine.toy:plugin"}, "vtk.recipes": {"fine": "vtk_fine.recipes"}}
    yield write_wheel(folder, "vtk-fine", fine, points=points)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The toolkit's own wheel and all of these, installed."""
    made = make_environment(tmp_path_factory.mktemp("environment") / "venv")
    folder = tmp_path_factory.mktemp("wheels")
    made.install([build_wheel(ROOT, folder), *wheels(folder)])
    return made


Vtk = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def vtk(environment: Environment, tmp_path: Path) -> Vtk:
    """The installed ``vtk``, in an empty folder; ``marks`` there tells what was imported."""
    (tmp_path / "marks").mkdir()

    def call(*words: object, **variables: str) -> subprocess.CompletedProcess[str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "PYTEST", "VTK_"))}
        return subprocess.run(
            [str(environment.folder / "bin" / "vtk"), *map(str, words)],
            env={**kept, "OMP_NUM_THREADS": "1", "TEST_MARKS": str(tmp_path / "marks"), **variables},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )

    return call


@pytest.fixture
def imported(tmp_path: Path) -> Callable[[], set[str]]:
    """Which of the marking modules have been imported."""
    return lambda: {path.name for path in (tmp_path / "marks").iterdir()}


def recipe(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", BROKEN)
def test_choosing_a_broken_one_is_told_in_five_lines(vtk: Vtk, tmp_path: Path, name: str) -> None:
    """An ImportError, a SystemExit, failures while registering, an entry point to nothing (1, 2, 3, 5)."""
    said = vtk("check", recipe(tmp_path, f"task: {name}\n"))
    assert said.returncode == 69
    assert said.stdout == ""
    assert len(said.stderr.splitlines()) <= 5
    for words in (f"vtk-{name} 1.0", f"vtk_{name}:plugin", BROKEN[name][1]):
        assert words in said.stderr
    assert "Traceback" not in said.stderr


def test_the_traceback_is_there_when_it_is_asked_for(vtk: Vtk, tmp_path: Path) -> None:
    said = vtk("check", recipe(tmp_path, "task: noimport\n"), "--traceback")
    assert said.returncode == 69
    assert "Traceback" in said.stderr
    assert "vtk_noimport.py" in said.stderr


@pytest.mark.parametrize(
    "words",
    [["--help"], ["plugins"], ["recipes", "ls"], ["recipes", "show", "fine"], ["schema", "multilabel"]],
    ids=" ".join,
)
def test_every_other_command_imports_none_of_them(vtk: Vtk, imported: Callable[[], set[str]], words: list[str]) -> None:
    """So an import of five seconds, or of any other kind, costs them nothing (4)."""
    said = vtk(*words)
    assert (said.returncode, said.stderr) == (0, "")
    assert imported() == set()


def test_each_is_listed_with_what_metadata_tell(vtk: Vtk) -> None:
    rows = {(row["full_name"], row["kind"]): row for row in json.loads(vtk("plugins", "--json").stdout)}
    status = {name: row["status"] for (name, _), row in rows.items() if not row["builtin"]}
    assert status == {f"vtk-{name}:{name}": "unchecked" for name in BROKEN} | {
        "vtk-slow:slow": "unchecked",
        "vtk-fine:fine": "unchecked",
        "vtk-one:seg": "duplicate",
        "vtk-two:seg": "duplicate",
        "vtk-one:logger": "duplicate",
        "vtk-two:logger": "duplicate",
        "vtk-shadow:classification": "duplicate",
        "vtk-shadow:progress": "duplicate",
        "vtk-ahead:ahead": "incompatible",
    }
    assert {row["status"] for row in rows.values() if row["builtin"]} == {"ok"}
    assert rows["vtk-slow:slow", "extension"]["version"] == "5.0"


def test_choosing_a_name_that_two_claim_names_both(vtk: Vtk, tmp_path: Path, imported: Callable[[], set[str]]) -> None:
    """(6) … and neither is imported; the full name chooses (7)."""
    said = vtk("check", recipe(tmp_path, "task: seg\n"))
    assert said.returncode == 69
    assert "vtk-one:seg (vtk-one 1.0" in said.stderr
    assert "vtk-two:seg (vtk-two 1.0" in said.stderr
    assert imported() == set()
    said = vtk("plugins", "show", "vtk-two:seg", "--json")
    assert json.loads(said.stdout)["distribution"] == "vtk-two"
    assert imported() == {"seg_two"}


def test_a_run_by_full_names_with_a_recipe_of_a_package(vtk: Vtk, tmp_path: Path) -> None:
    """(7) An extension chosen by its full name finds its options, and ``progress`` is still the built-in (8)."""
    said = vtk("run", "vtk-fine:digits", "--out", "run", "--quiet", "--trace-hooks")
    assert said.returncode == 0, said.stderr
    assert (tmp_path / "run" / "logged").read_text() == "one hello\none hello\n"
    asked = {line["plugin"] for line in json.loads((tmp_path / "run" / "hooks.json").read_text())["hooks"]}
    assert {"task:vtk-fine:fine", "extension:vtk-one:logger", "extension:vision-toolkit:progress"} <= asked
    assert not any("vtk-two" in plugin or "shadow" in plugin for plugin in asked)


def test_built_ins_cannot_be_shadowed(vtk: Vtk, imported: Callable[[], set[str]]) -> None:
    """(8)"""
    assert json.loads(vtk("plugins", "show", "classification", "--json").stdout)["distribution"] == "vision-toolkit"
    assert imported() == set()
    (reason,) = [
        row["reason"]
        for row in json.loads(vtk("plugins", "--json").stdout)
        if row["full_name"] == "vtk-shadow:classification"
    ]
    assert reason == "classification is the built-in task; choose this one as vtk-shadow:classification"


@pytest.mark.parametrize("way", ["VTK_DISABLE_PLUGINS=*", "VTK_DISABLE_PLUGINS=exits,vtk-fine:fine", "--no-plugins"])
def test_switching_off_acts_before_import(vtk: Vtk, tmp_path: Path, imported: Callable[[], set[str]], way: str) -> None:
    """(9, 10)"""
    name, _, value = way.partition("=")
    words, variables = ([], {name: value}) if value else ([name], {})
    said = vtk("check", recipe(tmp_path, "task: exits\n"), *words, **variables)
    assert said.returncode == 69
    assert "the task 'exits' of vtk-exits is disabled" in said.stderr
    names = {row["name"] for row in json.loads(vtk("recipes", "ls", "--json", *words, **variables).stdout)}
    assert "digits" in names
    assert not names & {"fine", "vtk-fine:digits"}
    assert imported() == set()


def test_the_range_of_versions_is_told_before_import(
    vtk: Vtk, tmp_path: Path, imported: Callable[[], set[str]]
) -> None:
    """(11)"""
    said = vtk("check", recipe(tmp_path, "task: ahead\n"))
    assert said.returncode == 69
    assert f"needs vision-toolkit>=2, have {HAVE}" in said.stderr
    assert "vtk-ahead 1.0" in said.stderr
    assert imported() == set()


def test_recipes_are_listed_with_their_package(vtk: Vtk) -> None:
    rows = {row["name"]: row for row in json.loads(vtk("recipes", "ls", "--json").stdout)}
    assert (rows["digits"]["distribution"], rows["vtk-fine:digits"]["distribution"]) == ("vision-toolkit", "vtk-fine")
    assert (rows["fine"]["task"], rows["fine"]["about"]) == ("fine", "The toy.")
    assert vtk("recipes", "cp", "vtk-fine:digits").returncode == 0


def test_each_is_checked_apart(vtk: Vtk) -> None:
    """(12) Whatever one of them does, the others are checked, and the exit code tells."""
    rest = [p.full_name for p in Catalogue(disabled=()).plugins if p.builtin and p.name != "progress"]
    rest += ["vtk-one:seg", "vtk-two:seg", "vtk-two:logger", "vtk-shadow:classification", "vtk-shadow:progress"]
    said = vtk("plugins", "--check", "--timeout", "600", "--json", VTK_DISABLE_PLUGINS=",".join(rest), TEST_SLEEP="0.1")
    assert said.returncode == 1
    assert said.stderr == ""  # tracebacks are for --traceback
    rows = {row.get("full_name", row["name"]): row for row in json.loads(said.stdout)}
    assert {name for name, row in rows.items() if row["status"] == "broken"} == {f"vtk-{n}:{n}" for n in BROKEN}
    for name, (_, words) in BROKEN.items():
        assert words.splitlines()[0] in rows[f"vtk-{name}:{name}"]["reason"]
    assert (rows["vtk-fine:fine"]["status"], rows["fine"]["status"]) == ("ok", "ok")
    assert rows["vtk-slow:slow"]["seconds"] >= 0.1
