"""The report's figures per class, against values worked out by hand."""

from __future__ import annotations

import json
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
)
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from toolkit.report.run_page import write_report
from toolkit.run.meters import OutputBuffer
from toolkit.types.results import Figure, Result, Table
from vtk_classification.confusions import Confusions
from vtk_classification.metrics import build_metrics, counted
from vtk_classification.report import class_table, confusion_figure, report

CLASSES = ["a", "b", "c"]
TARGETS = torch.tensor([0, 0, 0, 0, 1, 1, 1, 2])
PREDICTED = [0, 0, 0, 1, 1, 1, 0, 0]
OUTPUTS = torch.nn.functional.one_hot(torch.tensor(PREDICTED), 3).float()
FOUND = Confusions.of(TARGETS.numpy(), np.array(PREDICTED), 3)


def test_a_sample_without_an_answer_is_no_answer_with_some_class() -> None:
    metrics = build_metrics(3)
    metrics.update(torch.tensor([[0.0, torch.nan, 0.0], [0.0, 0.0, 1.0]]), torch.tensor([1, 2]))
    assert all(value.isnan() for value in metrics.compute().values())
    found = counted(metrics)
    assert found is not None
    assert (found.hits.tolist(), found.support.tolist()) == ([0, 0, 1], [0, 0, 1])


def test_precision_recall_and_f1_of_each_class() -> None:
    table = class_table(FOUND, CLASSES)
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


@settings(deadline=None)
@given(st.data())
def test_figures_are_scikit_learns_whatever_classes_occur(data: st.DataObject) -> None:
    classes = data.draw(st.integers(2, 6))
    pairs = st.tuples(st.integers(0, classes - 1), st.integers(0, classes - 1))
    true, taken = zip(*data.draw(st.lists(pairs, min_size=1, max_size=30)), strict=True)
    metrics = build_metrics(classes)
    half = len(true) // 2
    for part in (slice(0, half), slice(half, None)):
        logits = torch.nn.functional.one_hot(torch.tensor(taken[part], dtype=torch.long), classes).float()
        metrics.update(logits, torch.tensor(true[part], dtype=torch.long))
    values = {name: float(value) for name, value in metrics.compute().items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that some answer is of a class without samples
        balanced = balanced_accuracy_score(true, taken)
    f1 = f1_score(true, taken, average="macro", zero_division=0.0)
    wanted = {"accuracy": accuracy_score(true, taken), "balanced_accuracy": balanced, "f1": f1}
    assert values == pytest.approx(wanted, abs=1e-12)

    found = counted(metrics)
    assert found is not None
    assert found.dense().tolist() == confusion_matrix(true, taken, labels=range(classes)).tolist()
    by_class = precision_recall_fscore_support(true, taken, labels=range(classes), zero_division=0.0)
    rows = class_table(found, [str(i) for i in range(classes)]).rows
    assert [row[1:] for row in rows[:-2]] == [
        [*(pytest.approx(share, abs=1e-4) for share in shares), count] for *shares, count in zip(*by_class, strict=True)
    ]
    for row, average in zip(rows[-2:], ("macro", "weighted"), strict=True):
        means = precision_recall_fscore_support(true, taken, labels=sorted(set(true)), average=average, zero_division=0)
        assert row[1:] == [*(pytest.approx(mean, abs=1e-4) for mean in means[:3]), len(true)]


class _Largest(TorchDispatchMode):
    """The most elements of any tensor that torch made, which tracemalloc does not see."""

    elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        self.elements = max(self.elements, *(t.numel() for t in tree_leaves(made) if isinstance(t, torch.Tensor)), 0)
        return made


def test_of_ten_thousand_classes_nothing_is_as_large_as_their_square(make_run: Any) -> None:
    classes = 10_000
    true = torch.arange(600) % 300
    metrics = build_metrics(classes)
    tracemalloc.start()
    with _Largest() as largest:
        for start in range(0, 600, 100):
            here = true[start : start + 100]
            metrics.update(torch.nn.functional.one_hot((here + (here < 10)) % classes, classes).float(), here)
        values = metrics.compute()
    assert largest.elements == 100 * classes
    run = make_run()
    run.data.meta["classes"] = [f"class {i}" for i in range(classes)]
    items = {item.name: item for item in report(run, Result("val", {}, collected=metrics))}
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < classes * classes  # one byte for each pair of classes
    assert float(values["balanced_accuracy"]) == pytest.approx(290 / 300)
    assert list(items) == ["classification-report", "worst-classes", "most-confused", "samples"]
    worst, confused = items["worst-classes"], items["most-confused"]
    assert isinstance(worst, Table)
    assert isinstance(confused, Table)
    assert {row[0] for row in worst.rows[:10]} == {f"class {i}" for i in range(10)}
    assert sorted(confused.rows) == sorted([f"class {i}", f"class {i + 1}", 2, 1.0] for i in range(10))
    assert len(worst.rows) == 50


def test_people_see_a_part_of_a_long_table_and_json_has_all_of_it(tmp_path: Path) -> None:
    rows = [[f"class {number}", number] for number in range(10_000)]
    for table, shown in (
        (Table("t", "", ("class", "n"), rows[:200]), 200),
        (Table("t", "", ("class", "n"), rows), 103),
    ):
        page = write_report(tmp_path, title="many", result=Result(), items=[table])
        assert page.read_text().count("<tr>") == shown + 1
        facts = json.loads((tmp_path / "report.json").read_text())
        assert facts["tables"][0]["rows"] == table.rows
    text = page.read_text()
    assert "class 99<" in text
    assert "9,898 more rows" in text
    assert "class 9998<" in text
    assert "class 100<" not in text


def test_metrics_go_on_from_the_middle_of_an_epoch() -> None:
    whole, before, after = (OutputBuffer(build_metrics(3)) for _ in range(3))
    whole.add(OUTPUTS, TARGETS)
    before.add(OUTPUTS[:5], TARGETS[:5])
    after.load_state_dict(before.state_dict())
    after.add(OUTPUTS[5:], TARGETS[5:])
    assert after.compute() == whole.compute()


def test_the_heat_map_shows_true_against_predicted(tmp_path: Path) -> None:
    figure = confusion_figure(FOUND, CLASSES)
    counts = figure.draw.args[0]  # type: ignore[attr-defined]
    assert counts.tolist() == [[3, 1, 0], [1, 2, 0], [1, 0, 0]]
    figure.draw(tmp_path / "c.png")
    picture = cv2.imread(str(tmp_path / "c.png"))
    assert picture is not None
    assert np.unique(picture.reshape(-1, 3), axis=0).shape[0] > 20


def test_many_classes_still_make_a_readable_size(tmp_path: Path) -> None:
    every = np.arange(100)
    confusion_figure(Confusions.of(every, every, 100), [f"class {i}" for i in range(100)]).draw(tmp_path / "c.png")
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
