"""The report: what is on the page and in the JSON file."""

from __future__ import annotations

import json
import math
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from toolkit.errors import ExitCode, VtkError
from toolkit.report.curves import curves
from toolkit.report.run_page import write_report
from toolkit.types.results import Figure, Result, Table

HISTORY = [
    {"epoch": 1, "step": 8, "train/loss": 0.9, "val/loss": 1.0, "val/accuracy": 0.5, "lr": 0.1},
    {"epoch": 2, "step": 16, "train/loss": 0.4, "val/loss": 0.6, "val/accuracy": 0.75, "lr": 0.1},
]


class Page(HTMLParser):
    """The words, the pictures and the cells of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.pictures: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.pictures.append(dict(attrs)["src"] or "")
        elif tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip() and "style" not in self.open:
            self.words.append(data.strip())


def red(path: Path) -> None:
    """Draws a red picture."""
    Image.new("RGB", (4, 3), "red").save(path)


def test_the_page_shows_metrics_curves_items_and_the_recipe(tmp_path: Path) -> None:
    items = [Table("per_class", "How each class does", ("class", "f1"), [["cat", 0.91234], ["dog", None]])]
    page = write_report(
        tmp_path / "report",
        title="pets",
        result=Result("test", {"accuracy": 0.87654}),
        history=HISTORY,
        items=[*items, Figure("confusion-matrix", "Who is taken for whom", red)],
        recipe_yaml="task: toy\n",
    )
    seen = Page(page.read_text())
    assert seen.open == []
    for words in ("pets", "Results on the test split", "0.8765", "Per class", "How each class does", "0.9123"):
        assert words in seen.words
    assert "task: toy" in seen.words
    assert seen.pictures == ["curves.png", "confusion-matrix.png"]
    for picture in seen.pictures:
        with Image.open(page.parent / picture) as image:
            image.verify()
    assert "DEMO." not in seen.words


def test_a_demo_says_so_loudly(tmp_path: Path) -> None:
    page = write_report(tmp_path, title="pets", result=Result(), demo=True)
    assert "DEMO." in Page(page.read_text()).words
    assert json.loads((tmp_path / "report.json").read_text())["demo"] is True


def test_the_json_file_holds_everything_with_full_precision(tmp_path: Path) -> None:
    table = Table("t", "c", ("a", "b"), [["x", 1 / 3], ["y", math.nan]])
    metrics = {"accuracy": 2 / 3, "loss": math.inf}
    write_report(tmp_path, title="pets", result=Result("val", metrics), history=HISTORY, items=[table])
    facts = json.loads((tmp_path / "report.json").read_text())
    assert facts["metrics"] == {"accuracy": 2 / 3, "loss": None}
    assert facts["history"] == HISTORY
    assert facts["tables"] == [
        {"name": "t", "caption": "c", "columns": ["a", "b"], "rows": [["x", 1 / 3], ["y", None]]}
    ]
    assert [figure["file"] for figure in facts["figures"]] == ["curves.png"]


def test_nothing_in_a_name_becomes_markup_or_a_path(tmp_path: Path) -> None:
    evil = '<script>"&'
    items = [Figure(f"../{evil}", evil, red), Figure(f"../{evil}", evil, red), Table(evil, evil, [evil], [[evil]])]
    page = write_report(tmp_path / "r", title=evil, result=Result(evil, {evil: 1.0}), items=items, recipe_yaml=evil)
    text = page.read_text()
    assert "<script" not in text
    pictures = Page(text).pictures
    assert len(set(pictures)) == 2
    assert all((tmp_path / "r" / picture).is_file() and "/" not in picture for picture in pictures)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["r"]


def test_a_run_without_epochs_has_no_curves(tmp_path: Path) -> None:
    page = write_report(tmp_path, title="pets", result=Result())
    assert Page(page.read_text()).pictures == []


def test_training_and_validation_share_a_chart() -> None:
    charts = curves([*HISTORY, {"epoch": 3, "step": 24, "train/loss": math.nan, "val/loss": 0.5}])
    assert charts["loss"] == {"train": [(1, 0.9), (2, 0.4)], "val": [(1, 1.0), (2, 0.6), (3, 0.5)]}
    assert charts["accuracy"] == {"val": [(1, 0.5), (2, 0.75)]}
    assert charts["lr"] == {"": [(1, 0.1), (2, 0.1)]}
    assert set(charts) == {"loss", "accuracy", "lr"}


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(VtkError) as caught:
        write_report(tmp_path / "file" / "report", title="pets", result=Result())
    assert caught.value.code in {ExitCode.IO, ExitCode.CANNOT_CREATE}
    assert str(tmp_path / "file") in str(caught.value.place)
