"""What a user meets at the command line, on one small picture."""

from __future__ import annotations

import pytest
from PIL import Image

from toolkit import ExitCode
from toolkit.cli import main
from toolkit.run.precision import precision_formats
from vtk_style.reading import read_picture

SMALL = (
    *("--weights", "random", "--size", "40", "--steps", "3"),
    *("--set", "model.style_layers=[conv_1,conv_2]", "--set", "model.content_layers=[conv_2]"),
    *("--set", "pyramid.levels=1", "--set", "train.precision=fp32", "--set", "extensions.tensorboard=false"),
)


@pytest.fixture(scope="module")
def painted(tmp_path_factory):
    """A folder with two photographs, ``out.png`` and the run that made it."""
    folder = tmp_path_factory.mktemp("painted")
    for name, seed in (("a.jpg", 40), ("b.jpg", 90)):
        Image.effect_noise((80, 60), seed).convert("RGB").save(folder / name)
    pictures = ("--content", folder / "a.jpg", "--style", folder / "b.jpg", "--output", folder / "out.png")
    assert main([str(a) for a in ("run", "style", *pictures, "--out", folder / "run", *SMALL)]) == ExitCode.OK
    return folder


@pytest.fixture
def vtk(capfd, painted, monkeypatch):
    """``vtk`` in this process and that folder: exit code and everything it said."""
    monkeypatch.chdir(painted)

    def call(*args):
        code = main([str(arg) for arg in args])
        said = capfd.readouterr()
        return code, said.out + said.err

    return call


def test_predicting_says_what_to_do_instead(vtk):
    for verb in (("predict", "run", "a.jpg"), ("eval", "run")):
        code, said = vtk(*verb)
        assert code == ExitCode.USAGE
        assert "style transfer has no predictions" in said
        assert "vtk run style --content" in said
        assert "Traceback" not in said


def test_without_pictures_the_flags_and_the_demo_are_named(vtk):
    code, said = vtk("run", "style", *SMALL)
    assert code == ExitCode.NO_INPUT
    for words in ("content.jpg", "--content FILE", "--style FILE", "--demo"):
        assert words in said


def test_a_picture_is_made_again_from_itself_with_one_value_changed(vtk, painted):
    before = (painted / "out.png").read_bytes()
    code, said = vtk("run", "out.png", "--out", "again")
    assert code == ExitCode.OK, said
    assert (painted / "out.png").read_bytes() == before
    code, _ = vtk("run", "out.png", "--out", "other", "--output", "other.jpg", "--steps", "4")
    assert code == ExitCode.OK
    assert read_picture("other.jpg").size == (30, 40)


def test_the_folder_of_the_result_must_be_there_and_nothing_is_left_where_it_is_not(vtk, painted):
    before = sorted(painted.iterdir())
    pictures = ("--content", "a.jpg", "--style", "b.jpg", "--out", "none")
    code, said = vtk("run", "style", *pictures, "--output", "no/where.png", *SMALL)
    assert code == ExitCode.CANNOT_CREATE
    assert "no/where.png" in said
    assert sorted(painted.iterdir()) == before


def test_auto_never_takes_fp16(painted):
    from toolkit.recipe.load import load_recipe

    assert precision_formats(load_recipe("style").recipe) == {"fp32", "bf16"}
