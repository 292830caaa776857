"""Whole runs: training, thresholds, the bundle, prediction, evaluation on other data."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from toolkit.cli import main
from toolkit.inference.bundle import Bundle
from toolkit.run.finish import finish
from toolkit.run.loop import fit
from vtk_multilabel.metrics import build_metrics
from vtk_multilabel.predict import predict
from vtk_multilabel.thresholds import tuned_thresholds

pytestmark = pytest.mark.formats


@pytest.fixture(scope="module")
def trained(tmp_path_factory, colour_text):
    """A finished run on coloured patches, made by the command."""
    folder = tmp_path_factory.mktemp("trained")
    recipe = folder / "colours.yaml"
    recipe.write_text(colour_text)
    assert main(["run", str(recipe), "--out", str(folder / "run"), "--quiet"]) == 0
    return folder / "run"


def test_colours_are_learned_and_predicted_with_their_probabilities(trained, colour_folder, capsys):
    folder, labels = colour_folder
    capsys.readouterr()
    assert main(["predict", str(trained), *[str(folder / name) for name in labels], "--json"]) == 0
    records = json.loads(capsys.readouterr().out)["predictions"]
    right = sum(set(r["labels"]) == labels[name] for r, name in zip(records, labels, strict=True))
    assert right >= 55
    for record in records:
        assert len(record["labels"]) == len(record["probabilities"])
        assert set(record["scores"]) == {"red", "green", "blue"}
        for label, probability in zip(record["labels"], record["probabilities"], strict=True):
            assert record["scores"][label] == pytest.approx(probability, abs=1e-4)
    thresholds = dict(zip(["blue", "green", "red"], Bundle.load(trained).meta["thresholds"], strict=True))
    for record in records:
        assert {n for n, p in record["scores"].items() if p >= thresholds[n]} == set(record["labels"])


def test_the_table_shows_every_label_over_its_threshold(trained, colour_folder, capsys):
    folder, labels = colour_folder
    name = next(name for name, chosen in labels.items() if len(chosen) == 2)
    capsys.readouterr()
    assert main(["predict", str(trained), str(folder / name)]) == 0
    printed = capsys.readouterr().out
    assert all(label in printed for label in labels[name])


def test_evaluating_again_gives_the_same_figures(trained, capsys):
    capsys.readouterr()
    assert main(["eval", str(trained), "--json"]) == 0
    again = json.loads(capsys.readouterr().out)["metrics"]
    status = json.loads((trained / "status.json").read_text())["metrics"]
    assert again == pytest.approx(status, abs=1e-6)


def test_other_data_are_evaluated_under_the_trained_labels_and_thresholds(trained, colour_folder, capsys, tmp_path):
    folder, _ = colour_folder
    rows = [line for line in (folder / "labels.csv").read_text().splitlines()[1:] if "blue" not in line][:12]
    other = tmp_path / "other.csv"
    other.write_text("\n".join(["path,labels", *rows]))
    capsys.readouterr()
    assert main(["eval", str(trained), "--labels", str(other), "--images", str(folder), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["metrics"]["map"] > 0.9
    assert next(row[-1] for row in found["tables"]["labels"]["rows"]) == 0


def test_thresholds_are_tuned_with_the_kept_weights_and_used_in_the_final_figures(make_run, tmp_path):
    run = make_run(directory=tmp_path)
    fit(run)
    finished = finish(run)
    val, test = run.data.val, run.data.test
    key = run.data.transform
    with torch.inference_mode():
        logits = {
            name: run.model(key.apply(torch.from_numpy(part.images)).to(memory_format=torch.channels_last)).float()
            for name, part in (("val", val), ("test", test))
        }
    expected = tuned_thresholds(logits["val"].sigmoid().numpy(), val.targets)
    assert run.data.meta["thresholds"] == pytest.approx(expected, abs=1e-5)
    assert Bundle.load(tmp_path).meta["thresholds"] == run.data.meta["thresholds"]
    metrics = build_metrics(expected)
    metrics.update(logits["test"], torch.from_numpy(test.targets))
    assert finished.result.metrics["macro_f1"] == pytest.approx(float(metrics.compute()["macro_f1"]), abs=1e-5)


def test_the_report_has_a_line_for_each_label(make_run, tmp_path):
    run = make_run(directory=tmp_path)
    fit(run)
    finished = finish(run)
    tables = {
        item.name: item for item in run.hook.vtk_report(run=run, result=finished.result)[0] if hasattr(item, "rows")
    }
    rows = tables["labels"].rows
    assert [row[0] for row in rows] == list("0123456789")
    supports = run.data.test.targets.sum(axis=0)
    assert [row[-1] for row in rows] == supports.tolist()
    for name in ("samples", "precision-recall", "curves"):
        assert (tmp_path / "report" / f"{name}.png").is_file()


def test_predicting_nothing_gives_nothing(trained):
    assert predict(Bundle.load(trained), []) == []


LOSSES = {
    "bce": "{name: bce}",
    "smoothed": "{name: bce, label_smoothing: 0.2}",
    "weighted": "{name: bce, pos_weight: auto}",
    "named": "{name: bce, pos_weight: {'3': 5.0}}",
    "focal": "{name: focal}",
    "focal-alpha": "{name: focal, alpha: 0.25}",
    "asymmetric": "{name: asymmetric}",
}


def test_each_loss_trains_in_its_own_way(make_run):
    first = {}
    for name, loss in LOSSES.items():
        run = make_run(f"loss={loss}", "train.epochs=1")
        fit(run)
        first[name] = round(run.history[0]["train/loss"], 6)
        assert np.isfinite(first[name])
    assert len(set(first.values())) == len(LOSSES)
