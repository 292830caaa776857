"""Prediction: the same as evaluation, from the bundle alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from toolkit import Bundle
from toolkit.errors import ExitCode, VtkError
from toolkit.types.data import IndexBatch
from vtk_classification.predict import predict

pytestmark = pytest.mark.formats


@pytest.fixture(scope="module")
def bundle(trained: Any) -> Bundle:
    return Bundle.load(trained[0], device="cpu")


def test_predictions_are_those_of_the_evaluation(bundle: Bundle, trained: Any, kaggle: Path) -> None:
    directory, outcome = trained
    test = json.loads((directory / "split.json").read_text())["samples"]["test"]
    records = predict(bundle, [kaggle / name for name in test])
    right = sum(record["class"] == Path(record["file"]).name.partition(".")[0] for record in records)
    assert outcome.split == "test"
    assert right / len(records) == pytest.approx(outcome.metrics["accuracy"])
    loss = -sum(
        torch.tensor(next(t["confidence"] for t in r["top"] if t["class"] == Path(r["file"]).name[:3])).log().item()
        for r in records
    )
    assert loss / len(records) == pytest.approx(outcome.metrics["loss"], rel=1e-4)


def test_a_run_that_learns_predicts_well(bundle: Bundle, trained: Any, kaggle: Path) -> None:
    assert trained[1].metrics["accuracy"] >= 0.9
    (record,) = predict(bundle, [kaggle / "dog.3.jpg"])
    assert record["class"] == "dog"


def test_a_record_names_class_confidence_and_the_likeliest_classes(bundle: Bundle, kaggle: Path) -> None:
    (record,) = predict(bundle, [kaggle / "cat.1.jpg"])
    assert record["file"] == str(kaggle / "cat.1.jpg")
    assert record["top"][0] == {"class": record["class"], "confidence": record["confidence"]}
    assert sum(entry["confidence"] for entry in record["top"]) == pytest.approx(1, abs=1e-5)
    confidences = [entry["confidence"] for entry in record["top"]]
    assert confidences == sorted(confidences, reverse=True)
    json.dumps(record)


def test_the_order_is_the_callers_and_batches_change_nothing(bundle: Bundle, kaggle: Path) -> None:
    files = sorted(kaggle.iterdir())
    together = predict(bundle, files)
    assert [record["file"] for record in together] == [str(file) for file in files]
    for file, record in list(zip(files, together, strict=True))[::9]:
        (alone,) = predict(bundle, [file])
        assert alone["confidence"] == pytest.approx(record["confidence"], abs=1e-5)


def test_no_files_no_predictions(bundle: Bundle) -> None:
    assert predict(bundle, []) == []


def test_a_file_that_is_no_image_is_named(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("not a picture")
    with pytest.raises(VtkError) as caught:
        predict(bundle, [tmp_path / "text.jpg"])
    assert "text.jpg" in str(caught.value)


def test_a_bundle_predicts_where_training_data_and_run_are_gone(
    trained: Any, kaggle: Path, tmp_path: Path, bundle: Bundle
) -> None:
    import shutil

    shutil.copytree(trained[0] / "bundle", tmp_path / "copy")
    moved = Bundle.load(tmp_path / "copy", device="cpu")
    assert predict(moved, [kaggle / "cat.0.jpg"]) == predict(bundle, [kaggle / "cat.0.jpg"])


def test_validation_preprocessing_comes_from_the_bundle(bundle: Bundle, kaggle: Path, make_run: Any) -> None:
    run = make_run()
    network = bundle.network
    file = Path(run.data.val.paths[0])
    inputs = run.data.transform(run.data.val.__getitems__(IndexBatch.of([0])), None).inputs
    with torch.inference_mode():
        shares = network(inputs).softmax(1)[0]
    (record,) = predict(bundle, [file])
    assert record["confidence"] == pytest.approx(shares.max().item(), abs=1e-5)


@pytest.mark.parametrize(("classes", "ranked"), [(12, 12), (150, 100)])
def test_as_many_classes_are_ranked_as_can_be_asked_for(classes: int, ranked: int) -> None:
    from vtk_classification.predict import _record

    names = [f"c{number}" for number in range(classes)]
    shares = torch.randn(classes, generator=torch.Generator().manual_seed(1)).softmax(0)
    record = _record(Path("a.png"), shares, names)
    order = shares.argsort(descending=True).tolist()
    assert [entry["class"] for entry in record["top"]] == [names[place] for place in order[:ranked]]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_answer_that_is_no_number_is_none(trained: Any, kaggle: Path, value: float) -> None:
    bundle = Bundle.load(trained[0], device="cpu")
    with torch.no_grad():
        bundle.network.get_classifier().bias.fill_(value)  # type: ignore[operator]
    with pytest.raises(VtkError, match="the network's answer is no finite number") as caught:
        predict(bundle, [kaggle / "dog.3.jpg"])
    assert caught.value.code == ExitCode.NON_FINITE
    assert str(kaggle / "dog.3.jpg") in (caught.value.place or "")
