"""Progress as a user sees it: plain lines in a file, a live line on a terminal."""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from toolkit.errors import VtkError
from toolkit.run.run import Run

ON = "extensions.progress=true"


def terminal() -> Console:
    """A console that believes in a terminal."""
    return Console(file=io.StringIO(), force_terminal=True, width=120)


def text_of(run: Run) -> str:
    """Everything written, escape codes too."""
    assert isinstance(run.console.file, io.StringIO)
    return run.console.file.getvalue()


def assert_no_thread_is_left() -> None:
    """rich's thread ends by itself soon after the display; it must not live on."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(timeout=60)
            assert not thread.is_alive()


def test_one_plain_line_for_each_epoch(train: Callable[..., Run], said: Callable[[Run], list[str]]) -> None:
    run = train(ON, "train.epochs=3")
    lines = said(run)
    assert len(lines) == 3
    for number, (line, row) in enumerate(zip(lines, run.history, strict=True), start=1):
        assert line.startswith(f"epoch {number}/3 · ")
        assert f"train loss {row['train/loss']:.4g} mae {row['train/mae']:.4g}" in line
        assert f"val loss {row['val/loss']:.4g} mae {row['val/mae']:.4g}" in line
        assert re.search(r" · 0:\d\d$", line)


def test_the_best_epoch_is_marked(train: Callable[..., Run], said: Callable[[Run], list[str]]) -> None:
    run = train(ON, "train.epochs=4", "optimizer.lr=0.3")
    values = [row["val/mae"] for row in run.history]
    marked = [("(best)" in line) for line in said(run)]
    assert marked == [value == min(values[: i + 1]) for i, value in enumerate(values)]
    assert not all(marked), "a run that always improves shows nothing"


def test_stages_are_named(train: Callable[..., Run], said: Callable[[Run], list[str]]) -> None:
    stages = "stages=[{name: head, epochs: 1}, {name: all, epochs: 2}]"
    text = "task: toy\nextensions: {checkpoints: false, metrics: false, tensorboard: false}\n"
    lines = said(train(stages, text=text))
    assert [line.split(" ·")[0] for line in lines] == ["head epoch 1/1", "all epoch 1/2", "all epoch 2/2"]


def test_the_running_loss_is_the_mean_since_the_last_line(
    train: Callable[..., Run], said: Callable[[Run], list[str]], tmp_path: Path
) -> None:
    run = train(ON, "train.log_every=3", "extensions.metrics={steps: true}")
    losses = [json.loads(line)["loss"] for line in (tmp_path / "steps.jsonl").read_text().splitlines()]
    assert len(losses) == 16
    expected = [
        f"epoch {epoch + 1}/2 · step {end}/8 · loss {sum(losses[8 * epoch + end - 3 : 8 * epoch + end]) / 3:.4g}"
        for epoch in (0, 1)
        for end in (3, 6)
    ]
    assert [line for line in said(run) if "step" in line] == expected


def test_a_long_epoch_has_lines_in_between(train: Callable[..., Run], said: Callable[[Run], list[str]]) -> None:
    options = "extensions.progress={refresh_seconds: 0.002, line_seconds: 0.02}"
    run = train(options, "data.count=8000", "train.epochs=1")
    between = [line for line in said(run) if re.match(r"epoch 1/1 train \d+/1000", line)]
    assert between
    assert re.search(r"samples/s · \d+:\d\d left$", between[-1])


def test_quiet_says_nothing(train: Callable[..., Run]) -> None:
    console = Console(file=io.StringIO(), quiet=True)
    run = train(ON, console=console)
    assert text_of(run) == ""


def test_the_live_line_leaves_the_terminal_as_it_was(train: Callable[..., Run]) -> None:
    text = text_of(train("extensions.progress={refresh_seconds: 0.001}", console=terminal()))
    assert "epoch 1/2 train" in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor is hidden"
    assert_no_thread_is_left()


def test_an_error_leaves_the_terminal_as_it_was(make_run: Callable[..., Run]) -> None:
    run = make_run(ON, "data.poison_at=3", console=terminal())
    with pytest.raises(VtkError, match="nan"):
        run.hook.vtk_fit(run=run)
    text = text_of(run)
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor is hidden"
    assert_no_thread_is_left()


def test_plain_lines_on_a_terminal_if_asked(train: Callable[..., Run]) -> None:
    text = text_of(train("extensions.progress={plain: true}", console=terminal()))
    assert "\x1b[?25l" not in text
    assert text.count("epoch ") == 2
