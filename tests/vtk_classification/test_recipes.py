"""The shipped recipes say what the articles say, figure by figure, and each has a way to run without a download."""

from __future__ import annotations

from typing import Any

import pytest

from toolkit.recipe.load import load_recipe
from toolkit.recipe.stages import plan_stages

DOWNLOADED = ["mnist", "cifar10", "cifar10-lenet", "catsdogs", "catsdogs-frozen", "catsdogs-cnn"]


def figures(name: str, *, demo: bool = False) -> dict[str, Any]:
    return load_recipe(name, demo=demo).recipe.model_dump()


def steps(recipe: dict[str, Any]) -> list[str]:
    return [step["name"] for step in recipe["data"]["augment"]]


def test_mnist() -> None:
    recipe = figures("mnist")
    assert recipe["data"]["source"]["name"] == "mnist"
    assert recipe["data"]["augment"] == [{"name": "Rotate", "limit": 10, "p": 1.0}]
    assert (recipe["data"]["grey"], recipe["data"]["image_size"], recipe["data"]["normalize"]) == (True, 28, "half")
    assert recipe["model"]["preset"] == "mnist"
    assert (recipe["train"]["batch_size"], recipe["train"]["epochs"], recipe["train"]["log_every"]) == (64, 10, 100)
    assert (recipe["optimizer"]["name"], recipe["optimizer"]["lr"]) == ("adam", 1e-3)


def test_the_article_of_mnist_mirrors_and_one_key_does_so() -> None:
    import re

    from toolkit.recipe.shipped import shipped_recipes

    text = next(r.path.read_text() for r in shipped_recipes() if r.name == "mnist")
    (assignment,) = re.findall(r"--set '(data\.augment=[^']+)'", text)
    assert steps(load_recipe("mnist", sets=[assignment]).recipe.model_dump()) == ["HorizontalFlip", "Rotate"]


def test_cifar10() -> None:
    recipe = figures("cifar10")
    assert steps(recipe) == ["HorizontalFlip", "Pad", "RandomCrop"]
    assert (recipe["data"]["normalize"], recipe["model"]["preset"]) == ("half", "cifar10")
    assert (recipe["train"]["batch_size"], recipe["train"]["epochs"]) == (64, 10)
    assert (recipe["optimizer"]["name"], recipe["optimizer"]["lr"]) == ("adam", 1e-3)


def test_cifar10_lenet() -> None:
    recipe = figures("cifar10-lenet")
    assert recipe["model"]["preset"] == "lenet"
    assert (recipe["train"]["batch_size"], recipe["train"]["epochs"], recipe["train"]["log_every"]) == (4, 2, 2000)
    optimizer = recipe["optimizer"]
    assert (optimizer["name"], optimizer["lr"], optimizer["momentum"]) == ("sgd", 1e-3, 0.9)


@pytest.mark.parametrize("name", ["catsdogs", "catsdogs-frozen", "catsdogs-cnn"])
def test_cats_and_dogs(name: str) -> None:
    recipe = figures(name)
    data = recipe["data"]
    assert steps(recipe) == ["RandomResizedCrop", "HorizontalFlip", "Rotate", "ColorJitter"]
    crop, flip, rotate, jitter = data["augment"]
    assert crop["size"] == [224, 224]
    assert (flip["p"], rotate["limit"]) == (0.5, 10)
    assert [jitter[k] for k in ("brightness", "contrast", "saturation", "hue")] == [0.2, 0.2, 0.2, 0.1]
    assert (data["image_size"], data["resize"], data["normalize"], data["split"]["val"]) == (224, 256, "imagenet", 0.2)
    optimizer, schedule = recipe["optimizer"], recipe["schedule"]
    assert (optimizer["name"], optimizer["lr"], optimizer["weight_decay"]) == ("adam", 1e-3, 1e-4)
    assert (schedule["name"], schedule["step_size"], schedule["gamma"]) == ("step", 7, 0.1)
    assert recipe["train"]["batch_size"] == 32
    assert 15 <= recipe["train"]["epochs"] <= 25
    assert recipe["train"]["best"] == "val/accuracy"


def test_the_three_models_of_cats_and_dogs() -> None:
    full, frozen, cnn = (load_recipe(f"catsdogs{kind}").recipe.model for kind in ("", "-frozen", "-cnn"))
    assert (full.arch, full.wants_pretrained, full.freeze) == ("torchvision:resnet18", True, "none")
    assert (frozen.arch, frozen.wants_pretrained, frozen.freeze) == ("torchvision:resnet18", True, "backbone")
    assert (cnn.name, cnn.preset) == ("cnn", "catsdogs")


@pytest.mark.parametrize("name", DOWNLOADED)
def test_a_demo_downloads_nothing(name: str) -> None:
    from toolkit.labelled_images.model import planned_download

    recipe = load_recipe(name, demo=True).recipe
    assert recipe.data.source.downloads() == []
    assert planned_download(recipe.model) is None
    assert plan_stages(recipe)


@pytest.mark.parametrize("name", [*DOWNLOADED, "digits", "folder"])
def test_every_recipe_has_a_schema_for_editors(name: str) -> None:
    from toolkit.recipe.shipped import shipped_recipes

    text = next(r.path.read_text() for r in shipped_recipes() if r.name == name)
    assert text.startswith("# yaml-language-server: $schema=schemas/classification.json\n")


def test_digits_hold_out_a_fifth_and_choose_nothing_by_it() -> None:
    recipe = figures("digits")
    assert recipe["data"]["split"]["val"] == 0.2
    assert recipe["train"]["best"] == "last"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_digits_reach_their_accuracy() -> None:
    import io

    from rich.console import Console

    from toolkit.run.setup import prepare

    found = []
    for seed in range(3):
        run = prepare(load_recipe("digits", sets=[f"seed={seed}"]), console=Console(file=io.StringIO()))
        run.hook.vtk_fit(run=run)
        found.append(run.history[-1]["val/accuracy"])
    assert sum(found) / 3 >= 0.985, found
