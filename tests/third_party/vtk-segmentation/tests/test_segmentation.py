"""The task as its users have it: installed, and called through `vtk`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from toolkit import Batch, SampleIndex
from toolkit.cli import main
from toolkit.testing import check_task
from vtk_segmentation import drawn
from vtk_segmentation.data import Samples, moved
from vtk_segmentation.pictures import overlay
from vtk_segmentation.unet import SegmentationLoss, UNet

RECIPE = "segmentation"
TINY = [
    "model={width: 4, depth: 2}",
    "train={epochs: null, steps: 60, steps_per_epoch: 60, batch_size: 4}",
    "loader.workers=0",
]


@pytest.fixture
def street(tmp_path: Path) -> Path:
    """Twelve pictures whose right half is class 1, with masks."""
    root = tmp_path / "street"
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for i in range(12):
        image, mask = np.full((40, 60, 3), 60 + i, np.uint8), np.zeros((40, 60), np.uint8)
        image[:, 30:], mask[:, 30:] = 200, 1
        Image.fromarray(image).save(root / "images" / f"{i}.jpg")
        Image.fromarray(mask).save(root / "masks" / f"{i}.png")
    return root


def run_folder(street: Path, out: Path, *more: str) -> int:
    values = [f"data.source={{name: folder, root: {street}, classes: [road, kerb]}}", "data.size=32", *TINY, *more]
    return main(["run", RECIPE, "--out", str(out), *(word for value in values for word in ("--set", value))])


def pictures_of(samples: Samples, folder: Path) -> list[Path]:
    """The evaluated pictures as files."""
    files = [folder / f"{i}.png" for i in range(len(samples))]
    for i, file in enumerate(files):
        Image.fromarray(samples[SampleIndex(i)].inputs.transpose(1, 2, 0)).save(file)
    return files


def test_it_keeps_its_promises():
    source = "data.source={name: drawn, train: 16, val: 4, test: 4}"
    sets = [
        source,
        "data.size=32",
        "model={width: 4, depth: 2}",
        "train={epochs: 2, batch_size: 4}",
        "loader.workers=0",
    ]
    missing = ["data.source={name: folder, root: no/such, classes: [a, b]}"]
    check_task(
        "segmentation",
        Path(drawn.__file__).parent / "recipes" / "segmentation.yaml",
        sets=sets,
        files=pictures_of,
        missing=missing,
    )


def test_a_mask_moves_with_its_picture():
    mask = drawn.DrawnShapes(1, 64, (7,)).masks[0]
    painted = np.repeat((mask > 0)[..., None] * np.uint8(200), 3, 2)
    for i in range(20):
        image, after = moved(painted, mask, SampleIndex(0, epoch=i).rng())
        inside = image[..., 0] > 0.5 * image.max()
        assert (inside == (after > 0)).mean() > 0.97  # the rest are edges: one is interpolated, the other is not
        assert set(np.unique(after)) <= set(np.unique(mask))


def test_a_sample_depends_on_seed_epoch_and_index_alone():
    image, mask = drawn.DrawnShapes(1, 64, (7,))[0]
    first, again, other = (moved(image, mask, SampleIndex(0, epoch=e).rng())[0] for e in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_every_class_is_drawn_and_pictures_of_parts_differ():
    one, two = drawn.DrawnShapes(40, 48, (0, 0)), drawn.DrawnShapes(40, 48, (0, 1))
    assert set(np.unique(one.masks)) == set(range(len(drawn.CLASSES)))
    assert not np.array_equal(one.images, two.images)


def test_ignored_pixels_count_nothing():
    logits, masks = torch.randn(2, 3, 8, 8), torch.randint(0, 3, (2, 8, 8))
    masks[:, :, 4:] = 255
    changed = logits.clone()
    changed[..., 4:] += torch.randn(2, 3, 8, 4)
    loss = SegmentationLoss(1.0)
    for name, value in loss(logits, Batch(None, masks)).items():
        assert torch.isclose(value, loss(changed, Batch(None, masks))[name]), name


def test_a_perfect_answer_costs_nothing():
    masks = torch.randint(0, 3, (2, 8, 8))
    logits = 100 * torch.nn.functional.one_hot(masks, 3).movedim(-1, 1).float()
    assert sum(SegmentationLoss(1.0)(logits, Batch(None, masks)).values()) < 1e-4


def test_the_loss_of_pictures_is_that_of_their_batches_by_weight():
    masks, logits = torch.randint(0, 3, (5, 8, 8)), torch.randn(5, 3, 8, 8)
    masks[0], masks[1, :, 3:] = 255, 255
    loss = SegmentationLoss(1.0)
    whole = loss(logits, Batch(None, masks))
    parts = [
        (loss(logits[i : i + 1], batch), loss.batch_weight(batch))
        for i in range(5)
        for batch in [Batch(None, masks[i : i + 1])]
    ]
    known = torch.stack([weight["cross_entropy"] for _, weight in parts])
    means = torch.stack([terms["cross_entropy"] for terms, _ in parts])
    assert torch.isclose((means * known).sum() / known.sum(), whole["cross_entropy"])
    assert torch.isclose(torch.stack([terms["dice"] for terms, _ in parts]).mean(), whole["dice"])


def test_the_network_answers_for_every_pixel():
    assert UNet(5, 4, 3)(torch.zeros(2, 3, 32, 48)).shape == (2, 5, 32, 48)


def test_the_overlay_leaves_the_background():
    image, mask = drawn.DrawnShapes(1, 48, (3,))[0]
    changed = (overlay(image, mask, 5) != image).any(-1)
    assert np.array_equal(changed, mask > 0)


def test_a_folder_is_learnt_evaluated_and_drawn(street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out, drawings = tmp_path / "run", tmp_path / "drawings"
    assert run_folder(street, out) == 0
    assert (out / "report" / "index.html").read_text().count("IoU") > 0
    capsys.readouterr()
    assert main(["eval", str(out), "--images", str(street), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["split"] == "test"
    assert found["metrics"]["iou"] > 0.6  # all of one class has 0.25
    picture = street / "images" / "3.jpg"
    assert main(["predict", str(out), str(picture), "--draw", str(drawings), "--json"]) == 0
    record: dict[str, Any] = json.loads(capsys.readouterr().out)["predictions"][0]
    assert record["found"] == ["kerb"]
    assert sum(record["shares"].values()) == pytest.approx(1, abs=0.001)
    with Image.open(record["drawing"]) as drawing:
        assert drawing.size == (60, 40)


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda root: (root / "masks" / "3.png").unlink(), "there is no mask for 3.jpg"),
        (lambda root: (root / "masks" / "3.png").write_bytes(b"no"), "3.png: the file is not an image"),
        (lambda root: Image.new("L", (60, 40), 7).save(root / "masks" / "3.png"), "the mask holds 7"),
        (lambda root: Image.new("RGB", (60, 40)).save(root / "masks" / "3.png"), "one channel"),
        (lambda root: Image.new("L", (60, 41)).save(root / "masks" / "3.png"), "differ in size: 60×41 and 60×40"),
        (lambda root: (root / "images").rename(root / "pictures"), "no such folder"),
    ],
)
def test_a_broken_folder_is_said(street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], break_it, said: str):
    break_it(street)
    assert run_folder(street, tmp_path / "run", "data.source.test=0", "data.source.val=0") in (65, 66)
    assert said in capsys.readouterr().err


def test_a_size_that_cannot_be_halved_is_a_mistake_in_the_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["run", RECIPE, "--out", str(tmp_path / "run"), "--set", "data.size=36"]) == 78
    assert "multiple of 8" in capsys.readouterr().err


def test_masks_on_turned_photographs(street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    exif = Image.Exif()
    exif[0x0112] = 6
    for file in (street / "images").iterdir():
        Image.new("RGB", (60, 40)).save(file, exif=exif)
    assert run_folder(street, tmp_path / "one") == 65
    assert "set data.source.upright to false" in capsys.readouterr().err
    assert run_folder(street, tmp_path / "two", "data.source.upright=false", "train={steps: 2, epochs: null}") == 0


@pytest.mark.slow
def test_shapes_are_learnt(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "run"
    assert main(["run", RECIPE, "--out", str(out), "--quiet"]) == 0
    capsys.readouterr()
    assert main(["eval", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"]["iou"] >= 0.85
