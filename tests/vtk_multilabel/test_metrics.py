"""Metrics against scikit-learn, at thresholds that differ between labels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn import metrics as reference

from vtk_multilabel.metrics import build_metrics

THRESHOLDS = [0.5, 0.2, 0.8]


@pytest.fixture
def answers():
    generator = torch.Generator().manual_seed(0)
    targets = (torch.rand(200, 3, generator=generator) < torch.tensor([0.5, 0.2, 0.05])).long()
    return 2 * torch.randn(200, 3, generator=generator) + 2 * targets - 1, targets


def computed(logits, targets):
    metrics = build_metrics(THRESHOLDS)
    for start in range(0, len(logits), 64):
        metrics.update(logits[start : start + 64], targets[start : start + 64])
    return {name: float(value) for name, value in metrics.compute().items()}


def test_they_are_scikit_learns(answers):
    logits, targets = answers
    found, truth = computed(logits, targets), targets.numpy()
    scores = logits.sigmoid().numpy()
    decided = scores >= np.array(THRESHOLDS)
    assert found == pytest.approx(
        {
            "map": reference.average_precision_score(truth, scores, average="macro"),
            "micro_f1": reference.f1_score(truth, decided, average="micro"),
            "macro_f1": reference.f1_score(truth, decided, average="macro"),
            "subset_accuracy": reference.accuracy_score(truth, decided),
            "hamming": reference.hamming_loss(truth, decided),
        },
        abs=1e-5,
    )


def test_mean_average_precision_comes_first_and_says_which_way_is_better():
    metrics = build_metrics(THRESHOLDS)
    assert next(iter(metrics.keys())) == "map"
    assert {name: metric.higher_is_better for name, metric in metrics.items()} == {
        "map": True,
        "micro_f1": True,
        "macro_f1": True,
        "subset_accuracy": True,
        "hamming": False,
    }


def test_a_label_that_never_occurs_is_left_out_of_the_mean(answers):
    logits, targets = answers
    targets[:, 2] = 0
    scores = logits.sigmoid().numpy()
    expected = np.mean([reference.average_precision_score(targets[:, i].numpy(), scores[:, i]) for i in (0, 1)])
    assert computed(logits, targets)["map"] == pytest.approx(expected, abs=1e-5)


def test_an_image_without_labels_counts_as_right_where_nothing_is_decided():
    logits = torch.full((4, 3), -9.0)
    found = computed(logits, torch.zeros(4, 3, dtype=torch.long))
    assert found["subset_accuracy"] == 1
    assert found["hamming"] == 0


def test_images_that_float32_takes_for_certain_are_ranked_by_their_logits() -> None:
    from sklearn.metrics import average_precision_score

    logits, present = torch.tensor([[40.0], [30.0], [25.0], [20.0]]), torch.tensor([[0], [1], [0], [1]])
    metrics = build_metrics([0.5])
    metrics.update(logits, present)
    assert metrics.compute()["map"].item() == pytest.approx(average_precision_score(present[:, 0], logits[:, 0]))


def test_a_label_that_is_nowhere_is_in_no_mean() -> None:
    from sklearn.metrics import f1_score

    decided, present = torch.tensor([[1, 0, 0], [1, 1, 0], [0, 1, 0]]), torch.tensor([[1, 0, 0], [0, 1, 0], [1, 1, 0]])
    metrics = build_metrics([0.5] * 3)
    metrics.update(20.0 * decided - 10, present)
    wanted = f1_score(present, decided, average="macro", labels=[0, 1])
    assert metrics.compute()["macro_f1"].item() == pytest.approx(wanted)


def test_answers_that_are_no_numbers_have_no_precision_and_infinite_ones_are_first_and_last(answers) -> None:
    logits, targets = answers
    extreme = logits.clone()
    extreme[logits > 3], extreme[logits < -3] = torch.inf, -torch.inf
    assert computed(extreme, targets)["map"] == pytest.approx(
        reference.average_precision_score(targets, extreme.clamp(-9, 9), average="macro")
    )
    logits[7, 1] = torch.nan
    assert np.isnan(computed(logits, targets)["map"])
