from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sample_task import FolderData, SampleRecipe, TableData

from toolkit.errors import ExitCode, VtkError
from toolkit.optim.optimizer_sections import SGD, Adam
from toolkit.recipe.assign import parse_set
from toolkit.recipe.problems import RecipeError
from toolkit.recipe.resolved import ResolvedRecipe
from toolkit.recipe.yaml.nodes import to_python

Load = Callable[..., ResolvedRecipe]


def recipe_of(resolved: ResolvedRecipe) -> SampleRecipe:
    assert isinstance(resolved.recipe, SampleRecipe)
    return resolved.recipe


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a=3", 3),
        ("a=1e-4", 0.0001),
        ("a=no", "no"),
        ("a=", None),
        ("a=null", None),
        ("a='3'", "3"),
        ("a=[1, 2]", [1, 2]),
        ("a={x: 1, y: [true]}", {"x": 1, "y": [True]}),
        ("a= 3 ", 3),
        ("a=b=c", "b=c"),
        ("a=#fff", "#fff"),
        ("a=x #1", "x #1"),
        ("a=C:\\data\\x", "C:\\data\\x"),
        ("a=val/accuracy", "val/accuracy"),
    ],
)
def test_value_is_read_as_yaml(text: str, value: object) -> None:
    assert to_python(parse_set(text).node) == value


def test_path_is_dotted_with_numbers_for_items() -> None:
    assert parse_set("stages.0.optimizer.lr=1").path == ("stages", 0, "optimizer", "lr")


@pytest.mark.parametrize(
    "text", ["train.epochs", "", "=3", "a..b=1", ".a=1", "a.=1", "a b=1", "a[0]=1", "a." * 70 + "b=1"]
)
def test_malformed_is_a_usage_error(text: str) -> None:
    with pytest.raises(VtkError) as caught:
        parse_set(text)
    assert caught.value.code == ExitCode.USAGE


@pytest.mark.parametrize(
    "text", ["a=[1", "a={x: 1", "a=!!int 3", "a=&x [*x]", "a=.nan", "a={b: 1, b: 2}", "a=x\x00", "a='"]
)
def test_a_bad_value_is_placed_at_the_flag(text: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_set(text)
    assert str(caught.value).startswith("--set a=")


def test_one_key(load: Load) -> None:
    resolved = load("train: {epochs: 3}", sets=["train.epochs=5"])
    assert resolved.recipe.train.epochs == 5
    assert resolved.origins["train.epochs"] == "--set train.epochs=5"


def test_of_two_values_the_later_wins(load: Load) -> None:
    assert load(sets=["seed=1", "seed=2"]).recipe.seed == 2


def test_section_that_the_recipe_leaves_out(load: Load) -> None:
    assert load(sets=["loader.prefetch=4"]).recipe.loader.prefetch == 4


def test_list_item(load: Load) -> None:
    recipe = recipe_of(load("stages: [{epochs: 1}, {epochs: 2}]", sets=["stages.1.epochs=9", "stages.0.freeze=true"]))
    assert [(stage.epochs, stage.freeze) for stage in recipe.stages] == [(1, True), (9, False)]


def test_item_of_a_default_list(load: Load) -> None:
    resolved = load(sets=["stages.1.epochs=9"])
    assert [(stage.epochs, stage.freeze) for stage in recipe_of(resolved).stages] == [(1, False), (9, True)]
    assert resolved.origins["stages.0.epochs"] == "default"
    assert resolved.origins["stages.1.epochs"] == "--set stages.1.epochs=9"


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("stages.2.epochs=1", "a list of 2 has no item 2; numbers 0 to 1"),
        ("stages.x.epochs=1", "a list of 2 has no item 'x'"),
        ("augment.0.p=1", "a list of 0 has no item 0; it is empty"),
    ],
)
def test_item_that_is_not_there(problems: Callable[..., list[str]], assignment: str, words: str) -> None:
    assert [words in problem for problem in problems(sets=[assignment])] == [True]


def test_whole_list(load: Load) -> None:
    recipe = recipe_of(load("data: {classes: [a, b]}", sets=["data.classes=[c]"]))
    assert isinstance(recipe.data, FolderData)
    assert recipe.data.classes == ["c"]


def test_mapping_follows_the_overlay_rule(load: Load) -> None:
    merged = load("optimizer: {name: sgd, momentum: 0.9}", sets=["optimizer={lr: 0.5}"]).recipe.optimizer
    assert merged == SGD(lr=0.5, momentum=0.9)
    replaced = load("optimizer: {name: adam, beta1: 0.5}", sets=["optimizer={name: sgd}"]).recipe.optimizer
    assert replaced == SGD()


def test_another_name_makes_another_section(load: Load) -> None:
    assert load("optimizer: {name: adam, beta1: 0.5}", sets=["optimizer.name=sgd"]).recipe.optimizer == SGD()
    assert load("optimizer: {beta1: 0.5}", sets=["optimizer.name=sgd"]).recipe.optimizer == SGD()


def test_the_same_name_keeps_the_section(load: Load) -> None:
    assert load("optimizer: {beta1: 0.5}", sets=["optimizer.name=adam"]).recipe.optimizer == Adam(beta1=0.5)


@pytest.mark.parametrize("order", [1, -1])
def test_a_name_never_drops_what_is_set_for_it(load: Load, order: int) -> None:
    sets = ["optimizer.name=sgd", "optimizer.momentum=0.5"][::order]
    assert load("optimizer: {name: adam, beta1: 0.5}", sets=sets).recipe.optimizer == SGD(momentum=0.5)


@pytest.mark.parametrize("order", [1, -1])
def test_a_section_never_drops_what_is_set_in_it(load: Load, order: int) -> None:
    sets = ["optimizer={name: sgd}", "optimizer.momentum=0.5"][::order]
    assert load(sets=sets).recipe.optimizer == SGD(momentum=0.5)


def test_a_label_called_name_keeps_its_section(load: Load) -> None:
    stage = recipe_of(load("stages: [{epochs: 4, freeze: true}]", sets=["stages.0.name=head"])).stages[0]
    assert (stage.name, stage.epochs, stage.freeze) == ("head", 4, True)


def test_name_of_the_run(load: Load) -> None:
    resolved = load("seed: 7", sets=["name=trial"])
    assert (resolved.recipe.name, resolved.recipe.seed) == ("trial", 7)


def test_extension_options_and_switches(load: Load) -> None:
    resolved = load(sets=["extensions.counter.every=5", "extensions.progress=false", "extensions.plain=true"])
    assert resolved.recipe.extensions["counter"] == {"every": 5, "to": None}
    assert "progress" not in resolved.extensions
    assert "plain" in resolved.extensions


def test_a_fault_is_placed_at_the_flag(problems: Callable[..., list[str]]) -> None:
    found = problems("train: {epochs: 3}", sets=["train.epoch=5", "seed='1'"])
    assert found == [
        "--set seed='1': seed: wants a whole number, found the text '1'; remove the quotes",
        "--set train.epoch=5: train.epoch: unknown key; did you mean 'epochs'?",
    ]


def test_a_long_value_is_cut_in_messages(problems: Callable[..., list[str]]) -> None:
    (found,) = problems(sets=[f"seed={'x' * 500}"])
    assert len(found) < 250


def test_flag_stands_for_its_key(load: Load) -> None:
    resolved = load(flags=[("--path", "photos"), ("--width", "32")])
    recipe = recipe_of(resolved)
    assert isinstance(recipe.data, FolderData)
    assert (recipe.data.path, recipe.model.width) == (Path("photos"), 32)
    assert resolved.origins["data.path"] == "--path photos"


@pytest.mark.parametrize("value", ["1", "no", "1e-3", "[a].jpg", "a: b", "#x", "null", "", "'q'"])
def test_flag_for_text_takes_any_text(load: Load, value: str) -> None:
    recipe = recipe_of(load(flags=[("--path", value)]))
    assert isinstance(recipe.data, FolderData)
    assert recipe.data.path == Path(value)


def test_flag_that_may_be_repeated(load: Load) -> None:
    resolved = load(flags=[("--class", "cat"), ("--class", "no"), ("--class", "3")])
    recipe = recipe_of(resolved)
    assert isinstance(recipe.data, FolderData)
    assert recipe.data.classes == ["cat", "no", "3"]
    assert resolved.origins["data.classes"] == "--class"


def test_set_goes_over_flags(load: Load) -> None:
    assert recipe_of(load(flags=[("--width", "32")], sets=["model.width=64"])).model.width == 64


def test_a_flag_for_a_key_that_the_chosen_section_lacks(problems: Callable[..., list[str]]) -> None:
    (found,) = problems("data: {name: table, file: a.csv}", flags=[("--path", "x")])
    assert found.startswith("--path x: data.path: unknown key")


def test_a_bad_flag_value_is_placed_at_the_flag(problems: Callable[..., list[str]]) -> None:
    assert problems(flags=[("--width", "wide")]) == [
        "--width wide: model.width: wants a whole number, found the text 'wide'"
    ]


def test_unknown_flag(load: Load) -> None:
    with pytest.raises(VtkError, match="no such flag") as caught:
        load(flags=[("--nope", "1")])
    assert caught.value.code == ExitCode.USAGE
    assert "--path, --width, --class" in str(caught.value)


def test_sets_can_choose_another_variant_with_its_required_key(load: Load) -> None:
    recipe = recipe_of(load(sets=["data.file=a.csv", "data.name=table"]))
    assert recipe.data == TableData(file="a.csv")
