"""Whole runs through the core, on small pictures."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from toolkit import ExitCode, VtkError
from toolkit.recipe.load import load_recipe
from vtk_style.color import luma
from vtk_style.pyramid import fitted, resized
from vtk_style.reading import read_picture
from vtk_style.writing import write_picture


def content(size=48):
    picture = read_picture("sklearn:china.jpg")
    return resized(picture.tensor(), fitted(picture.size, size)).clamp(0, 1)


def difference(a, b):
    return float((a - b).abs().mean())


def records(directory):
    return [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]


def test_a_run_leaves_picture_sheet_previews_terms_and_report(style):
    made = style(whole=True, pyramid={"levels": 2, "size": 128, "steps": 9}, output={"preview_every": 3})
    assert made.image.shape[-2:] == (85, 128)
    assert difference(made.image, content(128)) > 0.03
    assert (made.directory / "contact-sheet.png").is_file()
    assert [p.name for p in sorted((made.directory / "previews").iterdir())][-1] == "step-000009.png"
    assert "64px: 64×43 pixels, 6 steps, whole; memory at most" in made.said
    text = (made.directory / "metrics.jsonl").read_text()
    for term in ("content", "style/conv_1", "style/conv_3"):
        assert term in text
    assert "contact-sheet" in (made.directory / "report" / "index.html").read_text()
    assert not (made.directory / "bundle").exists()


def test_the_loss_falls(style):
    made = style(pyramid={"steps": 12}, output={"preview_every": 6})
    losses = [r["train/loss"] for r in records(made.directory) if "train/loss" in r]
    assert losses[-1] < 0.3 * losses[0]


def test_a_finer_stage_goes_on_from_the_coarser_one_with_the_contents_detail(style):
    still = {"name": "adam", "lr": 1e-6}
    coarse = style(pyramid=None, stages=[{"size": 48, "steps": 20}]).image
    stages = [{"size": 48, "steps": 20}, {"size": 96, "steps": 1, "optimizer": still}]
    fine = style(pyramid=None, stages=stages).image
    down = resized(fine, tuple(coarse.shape[-2:]))
    assert difference(down, coarse) < 0.25 * difference(coarse, content(48))
    detail = [image - resized(resized(image, (32, 48)), (64, 96)) for image in (fine, content(96))]
    inside = ((fine > 0.02) & (fine < 0.98)).all(1, keepdim=True).expand_as(fine)
    assert torch.corrcoef(torch.stack([d[inside] for d in detail]))[0, 1] > 0.7


def test_the_same_seed_gives_the_same_file_and_another_seed_another(style):
    noise = {"name": "noise"}
    first, second, other = style(init=noise), style(init=noise), style(init=noise, seed=1)
    assert (first.directory / "result.png").read_bytes() == (second.directory / "result.png").read_bytes()
    assert difference(first.image, other.image) > 0.01


def test_a_picture_makes_itself_again_from_the_recipe_that_it_carries(style, tmp_path):
    path = tmp_path / "out.tif"
    style(output={"path": str(path), "bits": 16})
    before = path.read_bytes()
    resolved = load_recipe(path)
    assert resolved.recipe.pyramid.steps == 6
    path.unlink()
    style(resolved=resolved)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["content", "noise", "statistics", "file"])
def test_beginnings(style, name, tmp_path):
    extra = {}
    if name == "file":
        write_picture(tmp_path / "start.png", 1 - content())
        extra = {"file": str(tmp_path / "start.png")}
    made = style(init={"name": name, **extra}, optimizer={"name": "adam", "lr": 1e-6}, pyramid={"steps": 1})
    start = {
        "content": lambda: content(),
        "noise": lambda: torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(0)),
        "file": lambda: 1 - content(),
    }
    if name == "statistics":
        flower = read_picture("sklearn:flower.jpg").tensor()
        assert torch.allclose(made.image.mean((0, 2, 3)), flower.mean((0, 2, 3)), atol=0.1)
    else:
        assert difference(made.image, start[name]()) < 3e-3


@pytest.mark.parametrize("mode", ["luminance", "ycbcr"])
def test_modes_that_keep_the_contents_chroma(style, mode):
    made, free = style(colors=mode), style()
    # Not clamped: where shrinking overshoots, the chroma that is kept is that of the overshoot.
    picture = read_picture("sklearn:china.jpg")
    wanted = resized(picture.tensor(), fitted(picture.size, 48))
    moved = [(image - luma(image)) - (wanted - luma(wanted)) for image in (made.image, free.image)]
    inside = ((made.image > 0.02) & (made.image < 0.98)).all(1, keepdim=True).expand_as(moved[0])
    assert inside.float().mean() > 0.3
    # Rounding to 8 bits moves a channel by half a step and the luma by as much; nothing else moves the chroma.
    assert moved[0][inside].abs().max() < 1.001 / 255
    assert moved[1][inside].abs().mean() > 0.03
    assert difference(luma(made.image), luma(content())) > 0.02


def test_covariance_matching_keeps_the_contents_palette(style):
    kept, free = style(colors="covariance", pyramid={"steps": 30}), style(pyramid={"steps": 30})

    def distance(image):
        return float((image.mean((0, 2, 3)) - content().mean((0, 2, 3))).norm())

    assert distance(kept.image) < 0.05
    assert distance(free.image) > 0.2


def left_half(tmp_path, size):
    """A mask that marks the left half of a picture (height, width)."""
    left = np.zeros(size, np.uint8)
    left[:, : size[1] // 2] = 255
    Image.fromarray(left).save(tmp_path / "left.png")
    return str(tmp_path / "left.png")


def test_each_region_takes_its_own_style(style, tmp_path):
    mask = left_half(tmp_path, read_picture("sklearn:china.jpg").size)
    for name, colour in (("red.png", (1.0, 0.1, 0.1)), ("blue.png", (0.1, 0.1, 1.0))):
        noise = 0.2 * torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
        write_picture(tmp_path / name, (torch.tensor(colour).view(1, 3, 1, 1) * 0.8 + noise).clamp(0, 1))
    styles = [
        {"image": str(tmp_path / "red.png"), "region": {"mask": mask, "feather": 0.02}},
        {"image": str(tmp_path / "blue.png"), "region": {"mask": mask, "feather": 0.02, "invert": True}},
    ]
    image = style(data={"styles": styles}, loss={"content": 0.0}, pyramid={"steps": 60}).image
    left, right = image[..., :20].mean((0, 2, 3)), image[..., -20:].mean((0, 2, 3))
    assert left[0] > left[2] + 0.3
    assert right[2] > right[0] + 0.3


def test_weights_of_several_styles_shift_the_result(style, tmp_path):
    for name, value in (("dark.png", 0.1), ("light.png", 0.9)):
        write_picture(tmp_path / name, torch.full((1, 3, 64, 64), value) + 0.05 * torch.rand(1, 3, 64, 64))
    means = []
    for dark in (0.9, 0.1):
        styles = [f"{tmp_path}/dark.png:{dark}", f"{tmp_path}/light.png:{1 - dark}"]
        means.append(float(style(data={"styles": styles}, loss={"content": 0.0}, pyramid={"steps": 40}).image.mean()))
    assert means[0] < means[1] - 0.15


def test_transparency_is_kept_where_asked(style, tmp_path):
    rgba = np.full((40, 60, 4), 200, np.uint8)
    rgba[..., 3] = 0
    rgba[:20, :, 3] = 255
    Image.fromarray(rgba).save(tmp_path / "a.png")
    made = style(data={"content": str(tmp_path / "a.png"), "alpha": "keep"})
    alpha = read_picture(str(made.directory / "result.png")).alpha
    assert alpha is not None
    assert alpha[2].min() == 255
    assert alpha[-2].max() == 0


def test_tiles_give_the_picture_of_the_whole(style):
    whole, tiled = style(memory={"tile": "whole"}), style(memory={"tile": 16})
    assert "in 6 tiles of 16 pixels" in tiled.said
    assert difference(whole.image, tiled.image) < 1e-3


def test_total_variation_smooths(style):
    def roughness(image):
        return float((image[..., 1:] - image[..., :-1]).abs().mean())

    assert roughness(style(loss={"tv": 1e4}).image) < 0.6 * roughness(style().image)


def poison(monkeypatch, steps):
    """Make the loss infinite, and the image with it, at some evaluations."""
    from vtk_style.objective import Objective

    evaluate, calls = Objective.evaluate, [0]

    def broken(self, image, keep):
        terms, tape = evaluate(self, image, keep)
        calls[0] += 1
        if calls[0] not in steps:
            return terms, tape
        image.fill_(float("inf"))
        return terms * float("inf"), tape

    monkeypatch.setattr(Objective, "evaluate", broken)


def test_after_a_non_finite_loss_the_run_goes_on_from_the_last_good_image(style, monkeypatch):
    poison(monkeypatch, {4, 5})
    made = style(pyramid={"steps": 12})
    assert made.said.count("back to the last good image") == 2
    assert torch.isfinite(made.image).all()
    assert difference(made.image, content()) > 0.02


def test_three_non_finite_losses_in_a_row_stop_the_run_with_the_image_saved(style, monkeypatch, tmp_path):
    poison(monkeypatch, set(range(4, 100)))
    with pytest.raises(VtkError, match="3 time") as caught:
        style(output={"path": str(tmp_path / "kept.png")})
    assert caught.value.code is ExitCode.NON_FINITE
    kept = read_picture(str(tmp_path / "kept.png")).tensor()
    assert difference(kept, content()) > 0.02
    assert "The last good image is in" in style.said


def test_memory_that_runs_out_halves_the_tiles_instead_of_ending_the_run(style, monkeypatch):
    from vtk_style.vgg import VggFeatures

    levels = VggFeatures.levels

    def tight(self, image, dtype=None):
        if image.shape[-1] * image.shape[-2] > 1000 and self.weight_1.requires_grad is False and tight.armed:
            raise torch.OutOfMemoryError("no room")
        return levels(self, image, dtype)

    tight.armed = False
    from vtk_style.session import Session

    begin = Session.begin_stage

    def begin_then_arm(self, run, stage):
        begin(self, run, stage)
        tight.armed = True

    monkeypatch.setattr(VggFeatures, "levels", tight)
    monkeypatch.setattr(Session, "begin_stage", begin_then_arm)
    made = style()
    assert "out of memory" in made.said
    assert difference(made.image, content()) > 0.02


def test_predicting_says_what_to_do_instead(style):
    from vtk_style.plugin import plugin

    with pytest.raises(VtkError, match="no predictions") as caught:
        plugin.vtk_predict(bundle=None, inputs=[])
    assert "vtk run style --content" in caught.value.hint
