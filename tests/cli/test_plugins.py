"""``vtk plugins`` and ``vtk schema``."""

from __future__ import annotations

import json
from collections.abc import Callable

import jsonschema
import pytest
import yaml
from plugin_site import Site


def test_every_plugin_with_its_distribution(vtk: Callable) -> None:
    rows = json.loads(vtk("plugins", "--json").out)
    by_name = {(row["kind"], row["name"]): row for row in rows}
    assert by_name["task", "toy"] == {
        "name": "toy",
        "kind": "task",
        "distribution": "vtk-toy",
        "version": "1.0",
        "status": "unchecked",
        "reason": "",
        "summary": "vtk-toy for tests",
        "builtin": False,
        "full_name": "vtk-toy:toy",
        "value": "cli_predicts:plugin",
        "needs": "",
        "homepage": "",
    }
    assert by_name["task", "classification"]["status"] == "ok"
    assert by_name["task", "classification"]["distribution"] == "vision-toolkit"
    assert {name for kind, name in by_name if kind == "extension"} >= {"progress", "tensorboard", "metrics"}


def test_for_people(vtk: Callable) -> None:
    lines = vtk("plugins").out.splitlines()
    assert lines[0].split() == ["name", "kind", "distribution", "version", "status", "about"]
    assert any(line.split()[:5] == ["toy", "task", "vtk-toy", "1.0", "unchecked"] for line in lines)


def test_a_broken_plugin_hurts_only_itself(vtk: Callable, tmp_path_factory: pytest.TempPathFactory) -> None:
    broken = Site(tmp_path_factory.mktemp("broken"))
    broken.install("bad", tasks={"bad": "bad_plugin:plugin"}, modules={"bad_plugin": "import nothing_like_this"})
    with broken.active():
        assert "bad" in vtk("plugins").out
        assert vtk("check", "toy.yaml").code == 0
        said = vtk("check", "toy.yaml", "--set", "task=bad")
    assert said.code == 69
    assert "nothing_like_this" in said.err
    assert len(said.err.splitlines()) <= 5
    assert "Traceback" not in said.err


def test_the_schema_takes_a_right_recipe_and_refuses_a_wrong_one(vtk: Callable, here) -> None:
    schema = json.loads(vtk("schema", "toy").out)
    recipe = yaml.safe_load((here / "toy.yaml").read_text())
    jsonschema.validate(recipe, schema)
    recipe["train"]["epoch"] = 3
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(recipe, schema)


def test_the_reference(vtk: Callable) -> None:
    out = vtk("schema", "--markdown").out
    assert "`train`" in out
    assert "`early_stopping`" in out or "early_stopping" in out


class TestShow:
    def test_a_task(self, vtk: Callable) -> None:
        found = json.loads(vtk("plugins", "show", "toy", "--json").out)
        assert (found["full_name"], found["status"]) == ("vtk-toy:toy", "unchecked")
        assert {"vtk_config", "vtk_predict", "vtk_report"} <= set(found["hooks"])
        assert found["flags"] == [
            {"flag": "--count", "key": "data.count", "help": "How many samples are drawn.", "repeatable": False}
        ]
        keys = {row["key"]: row for row in found["keys"]}
        assert keys["data.count"]["type"].startswith("whole number")
        assert "train.epochs" not in keys  # the core's own, the same for every task

    def test_one_of_the_toolkit_with_its_recipes(self, vtk: Callable) -> None:
        found = json.loads(vtk("plugins", "show", "classification", "--json").out)
        keys = [row["key"] for row in found["keys"]]
        assert keys[keys.index("stages") + 1] == "stages.N.train"
        assert "stages.N.epochs" not in keys
        names = {recipe["name"] for recipe in found["recipes"]}
        assert "digits" in names
        assert not any("style" in name for name in names)
        assert json.loads(vtk("plugins", "show", "early_stopping", "--json").out)["recipes"] == []

    def test_an_extension_with_the_recipes_of_its_own_package(
        self, vtk: Callable, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        site = Site(tmp_path_factory.mktemp("packages"))
        source = "from toolkit import hookimpl\nclass Own:\n    @hookimpl\n    def vtk_log(self): ...\nplugin = Own()\n"
        points = "[vtk.extensions]\nown = show_own:plugin\n[vtk.recipes]\nown = show_jobs.own\n"
        site.install("show-own", entry_points=points, modules={"show_own": source})
        site.install("show-other", entry_points="[vtk.recipes]\nother = show_jobs.other\n")
        for name in ("own", "other"):
            (site.folder / "show_jobs" / name).mkdir(parents=True)
            (site.folder / "show_jobs" / name / f"job-{name}.yaml").write_text("# A job.\ntask: toy\n")
        (site.folder / "show_jobs" / "__init__.py").touch()
        with site.active():
            found = json.loads(vtk("plugins", "show", "own", "--json").out)
        assert found["recipes"] == [{"name": "job-own", "about": "A job."}]

    def test_for_people(self, vtk: Callable) -> None:
        out = vtk("plugins", "show", "vtk-toy:toy").out
        for words in ("task toy", "vtk-toy 1.0", "cli_predicts:plugin", "--count", "data.count"):
            assert words in out

    def test_the_wrong_name(self, vtk: Callable) -> None:
        said = vtk("plugins", "show", "tyo")
        assert said.code == 69
        assert "toy" in said.err

    def test_a_name_of_both_kinds(self, vtk: Callable, tmp_path_factory: pytest.TempPathFactory) -> None:
        both = Site(tmp_path_factory.mktemp("both"))
        both.install("both", extensions={"toy": "cli_both:plugin"}, modules={"cli_both": "plugin = object()"})
        with both.active():
            assert "--kind task or --kind extension" in vtk("plugins", "show", "toy").err
            assert vtk("plugins", "show", "toy", "--kind", "extension").out.startswith("extension toy")


class TestWithout:
    def test_no_plugins_acts_before_import(self, vtk: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
        import sys

        monkeypatch.delitem(sys.modules, "cli_predicts", raising=False)
        for args in (["--no-plugins", "check", "toy.yaml"], ["check", "toy.yaml", "--no-plugins"]):
            said = vtk(*args)
            assert said.code == 69
            assert "the task 'toy' of vtk-toy is disabled" in said.err
            assert "--no-plugins" in said.err
        rows = json.loads(vtk("plugins", "--json", "--no-plugins").out)
        assert {row["status"] for row in rows if not row["builtin"]} == {"disabled"}
        assert "cli_predicts" not in sys.modules

    def test_it_holds_for_one_call_and_beside_what_the_environment_says(
        self, vtk: Callable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import os

        monkeypatch.setenv("VTK_DISABLE_PLUGINS", "tensorboard")
        rows = {row["name"]: row["status"] for row in json.loads(vtk("--no-plugins", "plugins", "--json").out)}
        assert (rows["toy"], rows["tensorboard"], rows["progress"]) == ("disabled", "disabled", "ok")
        assert os.environ["VTK_DISABLE_PLUGINS"] == "tensorboard"
        assert vtk("check", "toy.yaml").code == 0


class TestCheck:
    """The built-ins are left out here, which import torch or take their time."""

    @pytest.fixture
    def few(self, monkeypatch: pytest.MonkeyPatch) -> None:
        names = [
            "classification",
            "multilabel",
            "style",
            "checkpoints",
            "metrics",
            "ema",
            "tensorboard",
            "early_stopping",
        ]
        monkeypatch.setenv("VTK_DISABLE_PLUGINS", ",".join(f"vision-toolkit:{name}" for name in names))

    @pytest.mark.usefixtures("few")
    def test_all_is_well(self, vtk: Callable) -> None:
        said = vtk("plugins", "--check", "--timeout", "600", "--json")
        rows = {row["name"]: row for row in json.loads(said.out)}
        assert (rows["toy"]["status"], rows["progress"]["status"]) == ("ok", "ok")
        assert rows["toy"]["seconds"] is not None
        assert (rows["ema"]["status"], rows["ema"]["seconds"]) == ("disabled", None)
        assert said.code == 0

    @pytest.mark.usefixtures("few")
    def test_a_failure_is_told_and_makes_it_exit_with_1(
        self, vtk: Callable, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        site = Site(tmp_path_factory.mktemp("bad"))
        site.install("bad", tasks={"bad": "check_bad:plugin"}, modules={"check_bad": "1 / 0"})
        site.install("ahead", tasks={"ahead": "check_bad:plugin"}, requires=["vision-toolkit>=99"])
        site.install("vtk-jobs", entry_points="[vtk.recipes]\njobs = vtk_jobs.all\ngone = vtk_jobs.gone\n")
        (site.folder / "vtk_jobs" / "all").mkdir(parents=True)
        (site.folder / "vtk_jobs" / "__init__.py").touch()
        (site.folder / "vtk_jobs" / "all" / "fine.yaml").write_text("task: toy\n")
        (site.folder / "vtk_jobs" / "all" / "wrong.yaml").write_text("task: toy\ntrain: {epoch: 1}\n")
        (site.folder / "vtk_jobs" / "all" / "demo.yaml").write_text("task: toy\ndemo: {train: {batch_size: 0}}\n")
        with site.active():
            said = vtk("plugins", "--check", "--timeout", "600", "--traceback")
        assert said.code == 1
        lines = {line.split()[0]: line for line in said.out.splitlines()}
        assert " broken " in lines["bad"]
        assert "ZeroDivisionError" in lines["bad"]
        assert "from bad" not in lines["bad"]  # the row says already whose it is
        assert "needs vision-toolkit>=99" in lines["ahead"]
        assert " ok " in lines["toy"]
        assert "wrong.yaml:2:9: train.epoch: unknown key" in lines["jobs"]
        assert "demo.yaml:2:" in lines["jobs"]
        assert "fine.yaml" not in lines["jobs"]
        assert "no such folder" in lines["gone"]
        assert "ZeroDivisionError: division by zero" in said.err

    def test_one_that_does_not_fit_is_a_failure_and_is_not_imported(
        self, vtk: Callable, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = tmp_path_factory.mktemp("unfit")
        mark = f"import pathlib\npathlib.Path({str(folder)!r}, 'imported').touch()\n"
        site = Site(folder)
        requires = ["vision-toolkit>=99"]
        site.install("unfit", tasks={"unfit": "unfit_it:plugin"}, modules={"unfit_it": mark}, requires=requires)
        others = [row["full_name"] for row in json.loads(vtk("plugins", "--json").out)]
        monkeypatch.setenv("VTK_DISABLE_PLUGINS", ",".join(others))
        with site.active():
            for said in (vtk("plugins"), vtk("plugins", "--check", "--timeout", "600")):
                (line,) = [line for line in said.out.splitlines() if line.startswith("unfit ")]
                assert "needs vision-toolkit>=99, have " in line
            assert said.code == 1
        assert not (folder / "imported").exists()


def test_help_and_guide_say_the_same_of_every_status(vtk: Callable) -> None:
    import re
    from pathlib import Path

    from toolkit.hooks.entry import STATUSES

    guide = (Path(__file__).parents[2] / "plugins" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", guide.split("| status |")[1].split("\n\n")[0], re.MULTILINE)
    assert {status: about.replace("`", "") for status, about in rows} == STATUSES
    said = " ".join(vtk("plugins", "--help").out.split())
    assert all(f"{status} {about}" in said for status, about in STATUSES.items())
