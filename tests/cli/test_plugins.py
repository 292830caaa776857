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
