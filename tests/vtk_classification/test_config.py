"""The task's recipe: what it takes, and where its errors point."""

from __future__ import annotations

import jsonschema
import pytest

from toolkit.errors import VtkError
from toolkit.recipe.load import load_text
from vtk_classification.config import ClassificationRecipe

BASE = "task: classification\ndata: {source: {name: digits}}\ntrain: {epochs: 1}\n"


def problem(text: str) -> str:
    with pytest.raises(VtkError) as caught:
        load_text(BASE + text, name="r.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("model: {name: cnn, presset: mnist}", ["r.yaml:4:20", "model.presset", "'preset'"]),
        ("model: {name: cnn, preset: mnits}", ["r.yaml:4:28", "mnist"]),
        ("model: {name: resnet18}", ["r.yaml:4", "model", "backbone"]),
        ("model: {name: cnn}", ["model", "preset or channels"]),
        ("model: {name: cnn, preset: mnist, arch: resnet18}", ["model.arch"]),
        ("model: {name: backbone, freeze: head}", ["model.freeze", "backbone"]),
        ("model: {name: backbone, pretrained: yes please}", ["model.pretrained"]),
        ("model: {name: cnn, preset: mnist, dropout: 1.5}", ["model.dropout", "1"]),
        ("model: {name: cnn, preset: mnist}\nloss: {label_smoothing: 1}", ["loss.label_smoothing"]),
        ("model: {name: cnn, preset: mnist}\nloss: {name: hinge}", ["loss"]),
    ],
)
def test_errors_name_the_place_and_the_fix(text: str, parts: list[str]) -> None:
    message = problem(text)
    assert all(part in message for part in parts), message


def test_a_recipe_without_a_model_is_told_so() -> None:
    assert "model" in problem("")


def test_stages_may_say_what_trains() -> None:
    text = BASE.replace("train: {epochs: 1}\n", "") + "model: {name: backbone, pretrained: false}\n"
    recipe = load_text(
        text + "stages: [{epochs: 1, train: head}, {epochs: 2, train: [layer4.*, head], lr: 1e-4}, {epochs: 3}]"
    ).recipe
    assert [stage.train for stage in recipe.stages] == ["head", ["layer4.*", "head"], None]


def test_the_json_schema_knows_each_models_keys() -> None:
    schema = ClassificationRecipe.model_json_schema()
    good = {
        "task": "classification",
        "data": {"source": {"name": "folder", "root": "x"}},
        "model": {"name": "backbone", "arch": "resnet18", "freeze": "backbone"},
    }
    jsonschema.validate(good, schema)
    for model in ({"name": "backbone", "preset": "mnist"}, {"name": "cnn", "arch": "x"}, {"name": "vgg"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(good | {"model": model}, schema)
