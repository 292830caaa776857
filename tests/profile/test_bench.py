"""What ``vtk bench`` measures, how it tells parts apart, and what it makes of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from toolkit.data.io.decode import Encoded
from toolkit.errors import ExitCode, VtkError
from toolkit.profile.bench import measure
from toolkit.profile.bench_advice import advise
from toolkit.profile.bench_rates import model_rate, one_batch, whole_parts
from toolkit.profile.bench_result import Bench, Rate, Trial
from toolkit.profile.bench_trials import doubled, try_others
from toolkit.profile.data_profile import AUGMENT, FETCH, READ, fetch_parts
from toolkit.profile.timers import BACKWARD, FORWARD, PREPARE, REST, STEP_PARTS, UPDATE, WAIT, Clocks, clocks_in
from toolkit.recipe.load import load_text
from toolkit.run.loop import enter_stage
from toolkit.run.run import Run
from toolkit.run.step import MicroBatches
from toolkit.system.signals import Interrupt
from toolkit.types.data import Batch

MakeRun = Callable[..., Run]

FOLDERS = """
task: classification
data: {source: {name: folder, root: %s}, image_size: 32, augment: light}
model: {name: cnn, channels: [4], hidden: []}
train: {epochs: 1, batch_size: 8, best: last}
loader: {workers: 0}
"""


class Time:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def entered(make_run: MakeRun) -> Callable[..., Run]:
    """A toy run at the start of its first stage."""

    def make(*sets: str) -> Run:
        run = make_run("loader.workers=0", *sets)
        enter_stage(run, run.stages[0])
        return run

    return make


def test_each_second_counts_for_the_innermost_part(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Time()
    monkeypatch.setattr("toolkit.profile.timers.time", clock)
    clocks = Clocks(torch.device("cpu"))
    clock.now = 1
    with clocks.part(UPDATE):
        clock.now = 3
        with clocks.part(FORWARD):
            clock.now = 6
        clock.now = 10
    clock.now = 11
    assert clocks.read() == {REST: 2, UPDATE: 6, FORWARD: 3}


def test_the_parts_add_up_to_the_whole(entered: Callable[..., Run]) -> None:
    run = entered()
    for _attempt in range(10):  # a process that loses its core between two clocks is no fault of theirs
        rate, parts = whole_parts(run, 0.2)
        if sum(parts.values()) == pytest.approx(rate.seconds / rate.batches, rel=0.1):
            break
    assert {WAIT, PREPARE, FORWARD, BACKWARD, UPDATE, REST} <= set(parts) <= set(STEP_PARTS)
    assert sum(parts.values()) == pytest.approx(rate.seconds / rate.batches, rel=0.1)
    assert rate.per_second == pytest.approx(8 * rate.batches / rate.seconds)


@pytest.mark.parametrize("optimizer", ["sgd", "lbfgs"])
def test_the_clocks_are_taken_out_again_and_change_no_weight(entered: Callable[..., Run], optimizer: str) -> None:
    plain, timed = (entered(f"optimizer={{name: {optimizer}, lr: 0.01}}") for _ in range(2))
    loss, backward = timed.loss, torch.autograd.backward
    for run in (plain, timed):
        torch.manual_seed(0)
        batch = one_batch(run)
        if run is timed:
            with clocks_in(run) as clocks:
                run.hook.vtk_step(run=run, batch=batch)
                assert clocks.read()[FORWARD] > 0
        else:
            run.hook.vtk_step(run=run, batch=batch)
    assert all(torch.equal(a, b) for a, b in zip(plain.model.parameters(), timed.model.parameters(), strict=True))
    assert (timed.loss, torch.autograd.backward) == (loss, backward)
    assert "batches" not in vars(timed.loader)
    assert not timed.model._forward_hooks
    assert not timed.optimizer._optimizer_step_pre_hooks


def test_augmentation_is_told_apart_where_the_dataset_lets_it(tmp_path: Path) -> None:
    run = folders(tmp_path)
    unknown: dict[str, str] = {}
    transform = run.data.train.transform
    pixels = Encoded.pixels
    parts = fetch_parts(run, unknown)
    assert set(parts) == {READ, AUGMENT}
    assert min(parts.values()) > 0
    assert not unknown
    assert run.data.train.transform is transform
    assert Encoded.pixels is pixels


def test_a_photograph_is_decoded_no_further_than_in_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise large photographs would seem slower than they are, and a cache more useful than it is."""
    run = folders(tmp_path, side=512, suffix="jpg", recipe=FOLDERS.replace("augment:", "cache: off, augment:"))
    reductions: list[int] = []
    pixels = Encoded.pixels

    def seen(self: Encoded, reduction: int = 1, **rest: Any) -> Any:
        reductions.append(reduction)
        return pixels(self, reduction, **rest)

    monkeypatch.setattr(Encoded, "pixels", seen)
    parts = fetch_parts(run, {})
    measured, reductions[:] = list(reductions), []
    for indices in islice(run.loader.order.passes(), 3):
        run.data.train.__getitems__(indices)
    assert max(measured) > 1
    assert measured == reductions
    assert parts[READ] > 0


def test_where_it_does_not_there_is_one_figure_and_a_word_why(entered: Callable[..., Run]) -> None:
    unknown: dict[str, str] = {}
    parts = fetch_parts(entered(), unknown)
    assert FETCH in parts
    assert READ not in parts
    assert "transform" in unknown["decode and augment, apart"]


def folders(root: Path, side: int = 40, suffix: str = "png", recipe: str = FOLDERS) -> Run:
    """A run on two folders of small pictures."""
    from toolkit.run.setup import prepare

    for number in range(24):
        path = root / ["red", "blue"][number % 2] / f"{number}.{suffix}"
        path.parent.mkdir(exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 255, (side, side + 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    run = prepare(load_text(recipe % root, name="folders"), console=Console(quiet=True))
    enter_stage(run, run.stages[0])
    return run


def test_a_doubled_batch_has_every_sample_twice() -> None:
    batch = Batch(torch.arange(6.0).reshape(3, 2), {"boxes": [torch.arange(3), torch.tensor(1)], "name": "a"})
    twice = doubled(batch)
    assert torch.equal(twice.inputs, torch.cat([batch.inputs, batch.inputs]))
    assert torch.equal(twice.targets["boxes"][0], torch.tensor([0, 1, 2, 0, 1, 2]))
    assert twice.targets["boxes"][1] == 1
    assert twice.targets["name"] == "a"
    parts = doubled(MicroBatches([batch, batch]))
    assert isinstance(parts, MicroBatches)
    assert [len(part.inputs) for part in parts] == [6, 6]


@pytest.fixture
def roomy(monkeypatch: pytest.MonkeyPatch) -> None:
    """How much memory is free is not this test's subject."""
    monkeypatch.setattr("toolkit.profile.bench_trials._roomy", lambda device: True)


@pytest.mark.usefixtures("roomy")
def test_other_settings_are_measured_and_the_runs_own_come_back(entered: Callable[..., Run]) -> None:
    run = entered()
    precision, loader, batch = run.precision, run.loader, one_batch(run)
    found = Bench("toy", "toy", samples=8, data=Rate(1000.0, 9, 1.0), model=Rate(1000.0, 9, 1.0))
    said: list[str] = []
    try_others(run, batch, found, 0.4, said.append)
    settings = {trial.setting for trial in found.trials}
    assert {"loader.workers=1", "train.batch_size=16"} <= settings
    assert not found.unknown
    assert said == [trial.setting for trial in found.trials]
    assert all(math.isfinite(trial.gain) and trial.gain > 0 for trial in found.trials)
    assert (run.precision, run.loader) == (precision, loader)


@pytest.mark.usefixtures("roomy")
@pytest.mark.parametrize(
    ("features", "own", "tried"),
    [
        ("none", "auto", None),
        ("avx512_bf16", "auto", "fp32"),  # shows whether the table is right about this machine
        ("avx512_bf16", "fp32", "bf16"),
        ("none", "bf16", "fp32"),
    ],
)
def test_the_other_format_is_measured_and_only_advised(
    entered: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, features: str, own: str, tried: str | None
) -> None:
    monkeypatch.setenv("VTK_CPU_FEATURES", features)
    run = entered(f"train.precision={own}")
    before = run.precision
    assert before is not None
    found = Bench("toy", "toy", samples=8, data=Rate(1e6, 9, 1.0), model=Rate(1000.0, 9, 1.0))
    found.precision = before.name
    try_others(run, one_batch(run), found, 0.1, lambda _: None)
    formats = {trial.setting for trial in found.trials if trial.setting.startswith("train.precision")}
    assert formats == ({f"train.precision={tried}"} if tried else set())
    assert run.precision == before


@pytest.mark.usefixtures("roomy")
def test_a_model_tried_in_another_layout_comes_back(tmp_path: Path) -> None:
    run = folders(tmp_path, recipe=FOLDERS.replace("best: last", "best: last, channels_last: false"))

    def layouts() -> list[tuple[int, ...]]:
        return [tensor.stride() for tensor in run.model.state_dict().values()]

    before = layouts()
    found = Bench("folders", "classification", samples=8, data=Rate(1000.0, 9, 1.0), model=Rate(1000.0, 9, 1.0))
    began: dict[str, list[tuple[int, ...]]] = {}
    try_others(run, one_batch(run), found, 0.6, lambda setting: began.update({setting: layouts()}))
    assert {"train.channels_last=true", "train.batch_size=16"} <= {trial.setting for trial in found.trials}
    assert began["train.batch_size=16"] == before
    assert layouts() == before


@pytest.mark.usefixtures("roomy")
def test_what_takes_too_long_to_measure_is_named(entered: Callable[..., Run]) -> None:
    run = entered()
    slow = Rate(8 / 100.0, 2, 200.0)
    found = Bench("toy", "toy", samples=8, data=Rate(1e6, 9, 1.0), model=slow)
    try_others(run, one_batch(run), found, 1.0, lambda _: None)
    assert not found.trials
    assert found.unknown["train.batch_size=16"] == "takes 600 s to measure; give --seconds more"


def test_without_room_a_larger_batch_is_not_tried(entered: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.profile.bench_trials._roomy", lambda device: False)
    run = entered()
    found = Bench("toy", "toy", samples=8, data=Rate(1000.0, 9, 1.0), model=Rate(400.0, 9, 1.0))
    try_others(run, one_batch(run), found, 0.1, lambda _: None)
    assert found.unknown["train.batch_size=16"] == "too little memory is free to try"


def measured(data: float, model: float, *trials: Trial, fetch: dict[str, float] | None = None) -> Bench:
    return Bench(
        "a",
        "toy",
        samples=8,
        data=Rate(data, 9, 1.0),
        model=Rate(model, 9, 1.0),
        whole=Rate(0.8 * min(data, model), 9, 1.0),
        step_parts={WAIT: 0.1, FORWARD: 0.9},
        fetch_parts=fetch or {},
        trials=list(trials),
    )


def test_the_largest_gain_of_the_slower_side_comes_first(entered: Callable[..., Run]) -> None:
    workers, more = (Trial("data", f"loader.workers={n}", 100.0 * n, 100.0) for n in (2, 4))
    worse, other = Trial("data", "loader.workers=0", 50.0, 100.0), Trial("model", "train.batch_size=16", 900.0, 300.0)
    found = measured(100.0, 300.0, workers, other, more, worse)
    advise(entered(), found)
    assert [advice["change"] for advice in found.advice] == ["loader.workers=4", "loader.workers=2"]
    assert "4.00 times as fast" in found.advice[0]["why"]
    assert "from 3.00 times on the model is the limit" in found.advice[0]["why"]
    assert "from" not in found.advice[1]["why"]
    assert (found.limit, found.of_ceiling) == ("data", pytest.approx(0.8))


def test_where_nothing_helps_that_is_said_with_the_reason(entered: Callable[..., Run]) -> None:
    found = measured(900.0, 300.0, Trial("model", "train.batch_size=16", 310.0, 300.0))
    advise(entered(), found)
    assert [advice["change"] for advice in found.advice] == ["nothing in the recipe"]
    assert "3.0 times as fast" in found.advice[0]["why"]
    assert "10% of the time" in found.advice[0]["why"]


def test_much_augmentation_is_named_where_data_are_the_limit(entered: Callable[..., Run]) -> None:
    found = measured(100.0, 300.0, fetch={READ: 1.0, AUGMENT: 3.0})
    advise(entered(), found)
    assert "75%" in found.advice[0]["why"]


def test_a_loss_that_is_not_finite_ends_it_like_training(recipe: Any, console: Console, tmp_path: Path) -> None:
    with pytest.raises(VtkError) as caught:
        measure(
            recipe("data.poison_at=0", "data.count=8", "loader.workers=0"),
            console=console,
            directory=tmp_path,
            seconds=0.1,
            say=lambda _: None,
            interrupt=Interrupt(),
        )
    assert caught.value.code == ExitCode.NON_FINITE


def test_the_model_alone_takes_at_least_two_steps_and_then_ends(entered: Callable[..., Run]) -> None:
    run = entered()
    start = time.perf_counter()
    rate = model_rate(run, one_batch(run), 0.0)
    assert rate.batches == 2
    assert 0 < rate.seconds <= time.perf_counter() - start
