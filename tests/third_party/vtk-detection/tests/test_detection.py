"""The task as its users have it: installed, and called through `vtk`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from toolkit import Bundle, SampleIndex, read_image
from toolkit.cli import main
from toolkit.testing import check_task
from vtk_detection import drawn
from vtk_detection.data import Samples, changed, collate, scaled
from vtk_detection.model import Detector, Found, detect

TINY = ["model={width: 8, channels: 32}", "loader.workers=0", "data.size=64"]


@pytest.fixture
def streets(tmp_path: Path) -> Path:
    """Ten pictures of two sizes with annotations in COCO's format; one is empty, and one stands for a crowd."""
    root = tmp_path / "streets"
    (root / "images").mkdir(parents=True)
    images, annotations = [], []
    for i in range(10):
        boxed = drawn.draw(64 + 16 * (i % 2), np.random.default_rng(i))
        Image.fromarray(boxed.image).save(root / "images" / f"{i}.png")
        images.append({"id": 100 + i, "file_name": f"{i}.png"})
        for (x1, y1, x2, y2), label in zip(boxed.boxes.tolist(), boxed.labels.tolist(), strict=True):
            one = {"image_id": 100 + i, "category_id": 7 - label, "bbox": [x1, y1, x2 - x1, y2 - y1], "iscrowd": 0}
            annotations += [one] if i else []
    annotations.append({"image_id": 100, "category_id": 7, "bbox": [0, 0, 9, 9], "iscrowd": 1})
    categories = [{"id": 7 - place, "name": name} for place, name in enumerate(drawn.CLASSES)]
    write(root, {"images": images, "annotations": annotations, "categories": categories})
    return root


def write(root: Path, document: Any) -> None:
    (root / "boxes.json").write_text(document if isinstance(document, str) else json.dumps(document))


def run(root: Path, out: Path, *more: str) -> int:
    source = f"data.source={{name: coco, annotations: {root}/boxes.json, images: {root}/images}}"
    values = [source, "train={epochs: 1, batch_size: 4}", *TINY, *more]
    return main(["run", "detection", "--out", str(out), *(word for value in values for word in ("--set", value))])


def pictures_of(samples: Samples, folder: Path) -> list[Path]:
    """The evaluated pictures as files."""
    files = [folder / f"{i}.png" for i in range(len(samples))]
    for i, file in enumerate(files):
        Image.fromarray(samples[SampleIndex(i)][0].numpy().transpose(1, 2, 0)).save(file)
    return files


def test_it_keeps_its_promises():
    recipe = Path(drawn.__file__).parent / "recipes" / "detection.yaml"
    source = "data.source={name: drawn, train: 16, val: 4, test: 4}"
    missing = ["data.source={name: coco, annotations: no/such.json, images: no}"]
    sets = [source, "train={epochs: 2, batch_size: 4}", *TINY]
    check_task("detection", recipe, sets=sets, files=pictures_of, missing=missing)


def test_boxes_enclose_what_is_drawn_and_are_mirrored_with_it():
    boxed = drawn.draw(96, np.random.default_rng(4))
    marked = np.zeros_like(boxed.image)
    for x1, y1, x2, y2 in boxed.boxes.astype(int).tolist():
        marked[y1 : y2 + 1, x1 : x2 + 1] = 200
    for epoch in range(8):
        after = changed(drawn.Boxed(marked, boxed.boxes, boxed.labels), SampleIndex(0, epoch=epoch).rng())
        for x1, y1, x2, y2 in after.boxes.astype(int).tolist():
            assert (after.image[y1 + 2 : y2 - 1, x1 + 2 : x2 - 1] > 100).all()


def test_pictures_without_boxes_and_of_several_sizes_share_a_batch():
    model = Detector(3, 64, 8, 32)
    sources = [drawn.draw(64, np.random.default_rng(1)), drawn.draw(96, np.random.default_rng(2))]
    empty = drawn.Boxed(sources[0].image, np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    batch = scaled(collate([Samples([one])[SampleIndex(0)] for one in [*sources, empty]]), None)  # type: ignore[arg-type]
    losses = model(batch.inputs)
    assert set(losses) == {"classification", "bbox_regression", "bbox_ctrness"}
    sum(losses.values()).backward()
    found = model.eval()(batch.inputs)
    assert isinstance(found, Found)
    assert len(found) == 3
    assert set(found.losses) == set(losses)


def test_boxes_and_losses_are_those_of_torchvision():
    model = Detector(3, 64, 8, 32)
    batch = scaled(collate([Samples(drawn.DrawnBoxes(3, 64, (1,)))[SampleIndex(i)] for i in range(3)]), None)  # type: ignore[arg-type]
    images, targets = map(list, zip(*batch.inputs, strict=True))
    for name, value in model.net(images, targets).items():
        assert torch.equal(value, model(batch.inputs)[name])
    model.eval()
    for theirs, ours in zip(model.net(images), model(batch.inputs), strict=True):
        assert all(torch.equal(theirs[name], ours[name]) for name in theirs)


def test_coco_is_learnt_evaluated_and_drawn(streets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out, drawings = tmp_path / "run", tmp_path / "drawings"
    assert run(streets, out, "answers.score=0.01") == 0
    assert "Average precision of each class" in (out / "report" / "index.html").read_text()
    history = json.loads((out / "metrics.jsonl").read_text().splitlines()[-1])
    capsys.readouterr()
    words = ["--annotations", str(streets / "boxes.json"), "--images", str(streets / "images")]
    assert main(["eval", str(out), *words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["metrics"]) == {"loss", "classification", "bbox_regression", "bbox_ctrness", "map_50", "map"}, (
        history
    )
    picture = streets / "images" / "3.png"
    assert main(["predict", str(out), str(picture), "--draw", str(drawings), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)["predictions"][0]
    bundle = Bundle.load(out, device="cpu")
    (expected,) = detect(bundle.network, [torch.from_numpy(read_image(picture)).permute(2, 0, 1)], 0.01)
    assert [one["box"] for one in record["top"]] == [[round(v, 1) for v in box] for box in expected["boxes"].tolist()]
    with Image.open(record["drawing"]) as drawing:
        assert drawing.size == (80, 80)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: "{", "not a file of annotations"),
        (lambda d: {**d, "categories": None}, "not a file of annotations"),
        (lambda d: {name: part for name, part in d.items() if name != "images"}, "'images' is missing"),
        (lambda d: {**d, "annotations": [{**d["annotations"][0], "image_id": 1}]}, "no image with the id 1"),
        (lambda d: {**d, "annotations": [{**d["annotations"][0], "category_id": 1}]}, "no category with the id 1"),
        (lambda d: {**d, "annotations": [{**d["annotations"][0], "bbox": [1, 2, 0, 4]}]}, "bbox has the size 0 × 4"),
        (lambda d: {**d, "annotations": [{**d["annotations"][0], "bbox": [1, 2]}]}, "bbox is not"),
        (lambda d: {**d, "images": [{**one, "file_name": "no.png"} for one in d["images"]]}, "does not exist"),
        (
            lambda d: {**d, "images": [{**one, "width": 80, "height": 64} for one in d["images"]]},
            "its boxes were drawn on 80×64",
        ),
    ],
)
def test_a_broken_file_is_said(
    streets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Any, said: str
):
    write(streets, change(json.loads((streets / "boxes.json").read_text())))
    assert run(streets, tmp_path / "run") in (65, 66)
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("upright", [True, False])
def test_boxes_on_a_turned_photograph(streets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], upright: bool):
    """Its size is that of the picture as it is seen, or as it is stored; the other one is refused."""
    document, exif = json.loads((streets / "boxes.json").read_text()), Image.Exif()
    exif[0x0112] = 6
    for image in document["images"]:
        stored = Image.new("RGB", (64, 96))
        stored.save(streets / "images" / image["file_name"], exif=exif)
        image["width"], image["height"] = (96, 64) if upright else (64, 96)
    write(streets, document)
    assert run(streets, tmp_path / "run", f"data.source.upright={str(upright).lower()}") == 0
    capsys.readouterr()
    assert run(streets, tmp_path / "other", f"data.source.upright={str(not upright).lower()}") == 65
    assert f"set data.source.upright to {str(upright).lower()}" in capsys.readouterr().err


@pytest.mark.slow
def test_shapes_are_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "run"
    assert main(["run", "detection", "--out", str(out), "--quiet"]) == 0
    capsys.readouterr()
    assert main(["eval", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"]["map_50"] >= 0.9
