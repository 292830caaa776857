from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toolkit.recipe import embedded
from toolkit.recipe.load import load_recipe
from toolkit.recipe.resolved import ResolvedRecipe

RECIPE = "# Größe, 日本語, 'quotes' \"double\"\ntask: sample\nname: é\n" + "# filler\n" * 500
FORMATS = [("PNG", ".png"), ("TIFF", ".tif"), ("TIFF", ".tiff"), ("JPEG", ".jpg"), ("JPEG", ".JPEG")]


@pytest.fixture
def picture() -> Image.Image:
    return Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3))


@pytest.mark.parametrize(("kind", "suffix"), FORMATS)
def test_what_is_written_is_read(tmp_path: Path, picture: Image.Image, kind: str, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    picture.save(path, **embedded.save_options(kind.lower(), RECIPE))
    assert embedded.read(path) == RECIPE


@pytest.mark.parametrize(("kind", "suffix"), FORMATS[:2])
def test_the_pixels_stay(tmp_path: Path, picture: Image.Image, kind: str, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    picture.save(path, **embedded.save_options(kind, RECIPE))
    with Image.open(path) as again:
        assert np.array_equal(np.asarray(again), np.asarray(picture))


@pytest.mark.parametrize(("kind", "suffix"), FORMATS)
def test_an_image_without_one(tmp_path: Path, picture: Image.Image, kind: str, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    picture.save(path)
    assert embedded.read(path) is None


@pytest.mark.parametrize("comment", ["{", '{"vtk-recipe": 3}', '{"vtk-recipe"', '{"other": "x"}', "a photo"])
def test_a_comment_of_somebody_else(tmp_path: Path, picture: Image.Image, comment: str) -> None:
    path = tmp_path / "a.jpg"
    picture.save(path, comment=comment)
    assert embedded.read(path) is None


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n" + b"\x00" * 40])
def test_no_image(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    assert embedded.read(path) is None


def test_a_damaged_image(tmp_path: Path, picture: Image.Image) -> None:
    path = tmp_path / "a.png"
    picture.save(path, **embedded.save_options("PNG", RECIPE))
    whole = path.read_bytes()
    for cut in range(0, len(whole), 7):
        path.write_bytes(whole[:cut])
        assert embedded.read(path) in (None, RECIPE)


def test_a_png_whose_text_was_moved_behind_the_pixels(tmp_path: Path, picture: Image.Image) -> None:
    path = tmp_path / "a.png"
    picture.save(path, **embedded.save_options("PNG", RECIPE))
    whole = path.read_bytes()
    start = whole.index(b"iTXt") - 4
    end = start + 12 + int.from_bytes(whole[start : start + 4], "big")
    last = whole.index(b"IEND") - 4
    path.write_bytes(whole[:start] + whole[end:last] + whole[start:end] + whole[last:])
    assert embedded.read(path) == RECIPE


def test_limits() -> None:
    with pytest.raises(ValueError, match="JPEG comment"):
        embedded.save_options("JPEG", "x" * 70_000)
    with pytest.raises(ValueError, match="cannot carry a recipe"):
        embedded.save_options("BMP", RECIPE)


@pytest.mark.parametrize(("kind", "suffix"), FORMATS)
def test_an_image_is_a_recipe(
    load: Callable[..., ResolvedRecipe], folder: Path, picture: Image.Image, kind: str, suffix: str
) -> None:
    first = load("seed: 12\nname: original\n")
    picture.save(folder / f"out{suffix}", **embedded.save_options(kind, first.to_yaml()))
    again = load_recipe(f"out{suffix}", sets=["train.epochs=1"])
    assert (again.recipe.seed, again.recipe.name, again.recipe.train.epochs) == (12, "original", 1)
    assert again.origins["seed"].startswith(f"out{suffix}:")
