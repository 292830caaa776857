"""Tuned thresholds are the best that a search over all cuts finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from vtk_multilabel.thresholds import best_threshold, tuned_thresholds

SCORES = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.5001, 0.75, 0.9, 1.0])


@given(st.lists(st.tuples(SCORES, st.booleans()), min_size=1, max_size=30))
@settings(max_examples=100, deadline=None)
def test_no_other_cut_has_a_better_f1(pairs):
    scores, present = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    found = best_threshold(scores, present)
    assert 0 <= found <= 1
    if not present.any():
        assert found == 0.5
        return
    best = max(f1_score(present, scores >= cut, zero_division=0.0) for cut in (*scores, 1.01))
    assert f1_score(present, scores >= found, zero_division=0.0) == pytest.approx(best)


def test_labels_that_are_told_apart_are_cut_in_the_middle():
    scores = np.array([0.1, 0.2, 0.8, 0.9])
    assert best_threshold(scores, scores > 0.5) == pytest.approx(0.5)


def test_each_label_has_its_own():
    scores = np.array([[0.1, 0.6], [0.2, 0.7], [0.3, 0.8], [0.4, 0.9]])
    targets = np.array([[0, 0], [1, 0], [1, 0], [1, 1]])
    assert tuned_thresholds(scores, targets) == pytest.approx([0.15, 0.85])


def test_probabilities_that_are_no_numbers_tune_nothing() -> None:
    assert best_threshold(np.array([0.9, np.nan, 0.8]), np.array([True, False, True])) == 0.5
