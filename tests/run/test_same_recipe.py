"""What a resumed run's recipe may differ in."""

from __future__ import annotations

from toolkit.run.same_recipe import differences


def test_what_shapes_the_result_is_told_with_both_values() -> None:
    was = {"seed": 0, "optimizer": {"name": "adam", "lr": 0.1}, "stages": [{"epochs": 1}]}
    now = {"seed": 0, "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9}, "stages": []}
    assert differences(was, now) == {
        "optimizer.name": ("adam", "sgd"),
        "optimizer.momentum": (None, 0.9),
        "stages": ([{"epochs": 1}], []),
    }


def test_where_and_how_it_runs_is_free() -> None:
    was = {"name": "a", "train": {"device": "cpu", "log_every": None}, "loader": {"workers": 0}, "extensions": {}}
    now = {"name": "b", "train": {"device": "cuda", "log_every": 5}, "loader": {"workers": 2}, "extensions": {"x": {}}}
    assert differences(was, now) == {}
