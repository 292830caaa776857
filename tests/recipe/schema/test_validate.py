"""Every kind of fault, as the user reads it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Literal

import pytest
from pydantic import Field, model_validator

from toolkit import Section
from toolkit.recipe.problems import RecipeError
from toolkit.recipe.schema.shape import Shape
from toolkit.recipe.schema.validate import validate
from toolkit.recipe.sections import LoaderSection
from toolkit.recipe.yaml.nodes import MapNode
from toolkit.recipe.yaml.text import compose_file

Problems = Callable[..., list[str]]

ONE_FAULT = [
    # unknown keys
    ("sed: 1", "2:1: sed: unknown key; did you mean 'seed'?"),
    ("SEED: 1", "2:1: SEED: unknown key; did you mean 'seed'?"),
    ("train:\n  epoch: 3", "3:3: train.epoch: unknown key; did you mean 'epochs'?"),
    ("lr: 1", "2:1: lr: unknown key at the top; did you mean 'optimizer.lr'?"),
    ("batch_size: 1", "2:1: batch_size: unknown key at the top; did you mean 'train.batch_size'?"),
    ("schedule: {foo: 1}", "2:12: schedule.foo: unknown key; known here: name"),
    ("optimizer: {name: sgd, beta1: 0.5}", "2:24: optimizer.beta1: unknown key; known here: "),
    ("optimizer: {adam: 1}", "2:13: optimizer.adam: unknown key"),
    ("optimizer: {name: sgd, sgd: 1}", "2:24: optimizer.sgd: unknown key"),
    ("stages: [{epochs: 1, freze: true}]", "2:22: stages.0.freze: unknown key; did you mean 'freeze'?"),
    ("augment: [{name: flip, q: 1}]", "2:24: augment.0.q: unknown key; known here: name, p"),
    # missing keys
    ("data: {name: table}", "2:1: data.file: this key is missing (The CSV file); add it to the section 'data'"),
    ("schedule: {name: step}", "2:1: schedule.step_size: this key is missing (Epochs between two drops)"),
    (
        "stages: [{epochs: 1, schedule: {name: step}}]",
        "2:22: stages.0.schedule.step_size: this key is missing (Epochs between two drops); "
        "add it to the section 'stages.0.schedule'",
    ),
    # choices by name
    ("optimizer: {name: sdg}", "2:19: optimizer.name: 'sdg' is not a choice; did you mean 'sgd'? choices: sgd, adam,"),
    ("optimizer: {name: 5}", "2:19: optimizer.name: '5' is not a choice; choices: sgd, adam, adamw, lbfgs"),
    ("optimizer: {name: [sgd]}", "2:19: optimizer.name: must be one of sgd, adam, adamw, lbfgs, found a list of 1"),
    ("stages: [{epochs: 1, optimizer: {lr: 1}}]", "2:22: stages.0.optimizer.name: this key is missing; choices: sgd,"),
    ("augment: [{p: 1}]", "2:11: augment.0.name: this key is missing; choices: flip, crop"),
    ("augment: [flip]", "2:11: augment.0: wants a section with keys, found the text 'flip'; write {name: flip}"),
    ("optimizer: sgd", "2:12: optimizer: wants a section with keys, found the text 'sgd'; write {name: sgd}"),
    # choices
    ("train: {precision: bf-16}", "2:20: train.precision: 'bf-16' is not a choice; did you mean 'bf16'? choices: bf16"),
    ("train: {precision: 16}", "2:20: train.precision: wants 'auto', 'fp32', 'bf16' or 'fp16', found the number 16"),
    ("loader: {workers: atuo}", "2:19: loader.workers: wants a whole number or 'auto', found the text 'atuo'; did you"),
    (
        "loader: {workers: '2'}",
        "2:19: loader.workers: wants a whole number or 'auto', found the text '2'; remove the",
    ),
    # types
    ("seed: '3'", "2:7: seed: wants a whole number, found the text '3'; remove the quotes"),
    ("seed: 1_000", "2:7: seed: wants a whole number, found the text '1_000'; write the number with digits and"),
    ("seed: 3.0", "2:7: seed: wants a whole number, found the number 3.0; write 3"),
    ("seed: 3.5", "2:7: seed: wants a whole number, found the number 3.5"),
    ("seed: true", "2:7: seed: wants a whole number, found true"),
    ("seed:", "2:6: seed: wants a whole number, found nothing; write a value, or remove the key"),
    ("seed: [1]", "2:7: seed: wants a whole number, found a list of 1"),
    ("seed: {a: 1}", "2:1: seed: wants a whole number, found a mapping"),
    ("optimizer: {lr: 1e-3x}", "2:17: optimizer.lr: wants a number, found the text '1e-3x'"),
    ("optimizer: {lr: '0.1'}", "2:17: optimizer.lr: wants a number, found the text '0.1'; remove the quotes"),
    ("optimizer:\n  lr: 0,1", "3:7: optimizer.lr: wants a number, found the text '0,1'; write the number with digits"),
    ("train: {channels_last: yes}", "2:24: train.channels_last: wants true or false, found the text 'yes'; write true"),
    ("train: {channels_last: 'true'}", "2:24: train.channels_last: wants true or false, found the text 'true'; write"),
    (
        "train: {channels_last: off}",
        "2:24: train.channels_last: wants true or false, found the text 'off'; write",
    ),
    ("train: {channels_last: 1}", "2:24: train.channels_last: wants true or false, found the number 1"),
    ("name: 2024", '2:7: name: wants text, found the number 2024; put it in quotes: "2024"'),
    ("name: 1e-3", '2:7: name: wants text, found the number 0.001; put it in quotes: "1e-3"'),
    ("data: {classes: [a, true]}", '2:21: data.classes.1: wants text, found true; put it in quotes: "true"'),
    ("data: {classes: a}", "2:17: data.classes: wants a list, found the text 'a'; write [a]"),
    ("data: {size: 3}", "2:14: data.size: wants a list, found the number 3; write [3]"),
    ("data: {size: [1, 2, 3]}", "2:14: data.size: needs at most 2 items"),
    ("data: {size: [1]}", "2:8: data.size.1: this item is missing from the list"),
    ("data: {size: [1, x]}", "2:18: data.size.1: wants a whole number, found the text 'x'"),
    ("data: {path: 3}", '2:14: data.path: wants text, found the number 3; put it in quotes: "3"'),
    ("data: {weights: {cat: heavy}}", "2:23: data.weights.cat: wants a number, found the text 'heavy'"),
    ("data: {weights: [1]}", "2:17: data.weights: wants a mapping of keys to values, found a list of 1"),
    ("train: 5", "2:8: train: wants a section with keys, found the number 5"),
    ("train:", "2:7: train: wants a section with keys, found nothing"),
    ("stages: {epochs: 1}", "2:1: stages: wants a list, found a mapping"),
    ("stages: [3]", "2:10: stages.0: wants a section with keys, found the number 3"),
    ("model: {weights: 3}", "2:18: model.weights: wants text or 'none', found the number 3; put it in quotes"),
    # ranges
    ("train: {epochs: 0}", "2:17: train.epochs: must be at least 1, found 0"),
    ("optimizer: {lr: -1}", "2:17: optimizer.lr: must be greater than 0, found -1"),
    ("optimizer: {beta1: 1}", "2:20: optimizer.beta1: must be less than 1, found 1"),
    ("seed: 4294967296", "2:7: seed: must be at most 4,294,967,295, found 4294967296"),
    ("loader: {workers: -1}", "2:19: loader.workers: must be at least 0, found -1"),
    ("model: {width: 6}", "2:16: model.width: must be a multiple of 4, found 6"),
    ("model: {note: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}", "2:15: model.note: needs at most 20 characters"),
    ("schedule: {name: multistep, milestones: []}", "2:41: schedule.milestones: needs at least 1 item"),
    ("augment: [{name: crop, size: 0}]", "2:30: augment.0.size: must be at least 1, found 0"),
    ("augment: [{name: crop, size: [1]}]", "2:30: augment.0.size: needs at least 2 items"),
    ("augment: [{name: crop, size: [1, x]}]", "2:34: augment.0.size.1: wants a whole number, found the text 'x'"),
    ("augment: [{name: crop, size: x}]", "2:30: augment.0.size: wants a whole number or a list, found the text 'x'"),
    # what sections say themselves
    ("train: {epochs: 1, steps: 2}", "2:20: train: give either epochs or steps, not both"),
    ("stages: [{}]", "2:10: stages.0: a stage needs either epochs or steps"),
    ("optimizer: {name: sgd, nesterov: true}", "2:24: optimizer: nesterov: true has no effect without momentum"),
    ("model: {width: 4, dropout: 0.5}", "2:19: model: dropout needs a width of at least 8"),
]


@pytest.mark.parametrize(("text", "expected"), ONE_FAULT, ids=[text for text, _ in ONE_FAULT])
def test_one_fault(problems: Problems, text: str, expected: str) -> None:
    found = problems(text)
    assert [problem.startswith(f"a.yaml:{expected}") for problem in found] == [True], found


def test_all_faults_are_listed_in_the_files_order(problems: Problems) -> None:
    found = problems("train: {epoch: 3, batch_size: x}\nseed: -1\noptimizer: {name: adma}\nloader:\n  prefetch: 0\n")
    assert [problem.split(": ")[:2] for problem in found] == [
        ["a.yaml:2:9", "train.epoch"],
        ["a.yaml:2:31", "train.batch_size"],
        ["a.yaml:3:7", "seed"],
        ["a.yaml:4:19", "optimizer.name"],
        ["a.yaml:6:13", "loader.prefetch"],
    ]


def test_a_long_text_is_cut(problems: Problems) -> None:
    (found,) = problems(f"seed: {'x' * 10_000}")
    assert len(found) < 120


def test_many_faults_are_cut_in_the_message_but_not_in_the_list(problems: Problems) -> None:
    assert len(problems("\n".join(f"key{number}: 1" for number in range(50)))) == 50


def test_what_many_faults_cost_grows_as_their_number_does(load: Callable[..., object]) -> None:
    def calls(faults: int) -> int:
        count = 0

        def seen(_frame: object, event: str, _argument: object) -> None:
            nonlocal count
            count += event == "call"

        text = "\n".join(f"key{number}: 1" for number in range(faults))
        sys.setprofile(seen)
        try:
            with pytest.raises(RecipeError):
                load(text)
        finally:
            sys.setprofile(None)
        return count

    few, many, more = calls(10), calls(1_000), calls(2_000)
    assert more - many < 1.2 * (many - few)
    assert many - few < 500 * 1_000


def calls_of_shape(monkeypatch: pytest.MonkeyPatch, read: Callable[[], object]) -> int:
    """How often a place of the schema is worked out while a recipe is read."""
    count = 0
    work_out = Shape.of.__func__  # type: ignore[attr-defined]

    def counted(cls: type[Shape], annotation: object, chooser: str | None = None) -> Shape:
        nonlocal count
        count += 1
        return work_out(cls, annotation, chooser)  # type: ignore[no-any-return]

    monkeypatch.setattr(Shape, "of", classmethod(counted))
    with pytest.raises(RecipeError):
        read()
    return count


def test_the_way_to_a_section_is_looked_for_once_whatever_its_faults(
    monkeypatch: pytest.MonkeyPatch, load: Callable[..., object]
) -> None:
    def faults(number: int) -> int:
        text = f"optimizer: {{name: sgd, {', '.join(f'k{i}: 1' for i in range(number))}}}"
        return calls_of_shape(monkeypatch, lambda: load(text))

    few = faults(100)
    assert faults(1100) - few < 3 * 1000


PAIRS = [
    ("train: {epochs: 3, steps: 4}", [], "a.yaml:2:20: train: "),
    ("train: {epochs: 3, steps: 4}", ["train.batch_size=4"], "a.yaml:2:20: train: "),
    ("train: {epochs: 3}", ["train.steps=4", "train.batch_size=4"], "--set train.steps=4: train: "),
    ("train: {epochs: 3}", ["train.steps=4", "train.epochs=5", "train.accumulate=2"], "--set train.epochs=5: train: "),
    ("train: {epochs: 3}", ["train.steps_per_epoch=4", "train.accumulate=2"], "--set train.steps_per_epoch=4: train: "),
    ("stages: [{epochs: 3}]", ["stages.0.steps=4", "stages.0.lr=0.1"], "--set stages.0.steps=4: stages.0: "),
]


@pytest.mark.parametrize(("text", "sets", "told"), PAIRS)
def test_keys_that_do_not_fit_together_are_told_at_the_one_given_last(
    load: Callable[..., object], text: str, sets: list[str], told: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        load(text, sets=sets)
    assert str(caught.value).startswith(told)
    assert "(epochs: a.yaml:2:" in str(caught.value) or len(sets) != 2


def tree(text: str) -> MapNode:
    root = compose_file(text.encode(), "r.yaml")
    assert isinstance(root, MapNode)
    return root


class Kept(Section):
    """A section that looks at itself as a whole."""

    keep: str = Field(description="Where.")
    gigabytes: float | None = Field(None, description="How much.")

    @model_validator(mode="after")
    def _fits(self) -> Kept:
        return self


class Keeping(Section):
    """A word or such a section."""

    cache: Literal["off"] | Kept = Field("off", description="Whether.")


def test_a_key_missing_in_a_section_with_a_validator_is_told_where_it_is_missing() -> None:
    _, problems = validate(Keeping, tree("cache: {gigabytes: 1}"))
    assert [(p.key, p.message.split(" (")[0]) for p in problems] == [("cache.keep", "this key is missing")]


@pytest.mark.parametrize("key", ["workers", "prefetch"])
def test_numbers_that_size_memory_or_processes_are_bounded(key: str) -> None:
    for value, refused in ((1024, False), (1025, True), (10**12, True)):
        _, problems = validate(LoaderSection, tree(f"{key}: {value}"))
        assert [p.key for p in problems] == [key] * refused
