"""The report's figures per class, against values worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from toolkit.run.report import Figure, Result, Table
from vtk_classification.metrics import build_metrics
from vtk_classification.report import class_table, confusion_figure, report

CLASSES = ["a", "b", "c"]
TARGETS = torch.tensor([0, 0, 0, 0, 1, 1, 1, 2])
PREDICTED = [0, 0, 0, 1, 1, 1, 0, 0]
OUTPUTS = torch.nn.functional.one_hot(torch.tensor(PREDICTED), 3).float()


def test_precision_recall_and_f1_of_each_class() -> None:
    table = class_table(OUTPUTS, TARGETS, CLASSES)
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["a"] == [0.6, 0.75, round(2 * 0.6 * 0.75 / 1.35, 4), 4]
    assert rows["b"] == [0.6667, 0.6667, 0.6667, 3]
    assert rows["c"] == [0.0, 0.0, 0.0, 1]
    assert rows["macro avg"][1] == pytest.approx((0.75 + 2 / 3) / 3, abs=1e-4)
    assert rows["macro avg"][3] == 8


def test_metrics_by_hand_and_accuracy_first() -> None:
    metrics = build_metrics(3)
    metrics.update(OUTPUTS, TARGETS)
    values = {name: value.item() for name, value in metrics.compute().items()}
    assert next(iter(values)) == "accuracy"
    assert values["accuracy"] == pytest.approx(5 / 8)
    assert values["balanced_accuracy"] == pytest.approx((0.75 + 2 / 3 + 0) / 3)
    assert values["f1"] == pytest.approx((2 * 0.6 * 0.75 / 1.35 + 2 / 3 + 0) / 3)
    assert all(metric.higher_is_better for metric in metrics.values())


def test_the_heat_map_shows_true_against_predicted(tmp_path: Path) -> None:
    figure = confusion_figure(OUTPUTS, TARGETS, CLASSES)
    counts = figure.draw.args[0]  # type: ignore[attr-defined]
    assert counts.tolist() == [[3, 1, 0], [1, 2, 0], [1, 0, 0]]
    figure.draw(tmp_path / "c.png")
    picture = cv2.imread(str(tmp_path / "c.png"))
    assert picture is not None
    assert np.unique(picture.reshape(-1, 3), axis=0).shape[0] > 20


def test_many_classes_still_make_a_readable_size(tmp_path: Path) -> None:
    outputs = torch.eye(100)
    confusion_figure(outputs, torch.arange(100), [f"class {i}" for i in range(100)]).draw(tmp_path / "c.png")
    height, width, _ = cv2.imread(str(tmp_path / "c.png")).shape
    assert 1000 < height < 2500
    assert 1000 < width < 2500


def test_a_report_has_table_heat_map_and_samples(make_run: Any, tmp_path: Path) -> None:
    run = make_run("data.augment=standard")
    result = Result("val", {}, torch.eye(2), torch.arange(2))
    items = report(run, result)
    assert [item.name for item in items] == ["classification-report", "confusion-matrix", "samples"]
    assert [type(item) for item in items] == [Table, Figure, Figure]
    items[2].draw(tmp_path / "s.png")  # type: ignore[union-attr]
    assert cv2.imread(str(tmp_path / "s.png")) is not None


def test_without_outputs_there_are_the_samples_alone(make_run: Any) -> None:
    assert [item.name for item in report(make_run(), Result())] == ["samples"]
