"""The loop does what a plain PyTorch loop does, and keeps its promises about stages, epochs and steps."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook
from toy_reference import reference_epochs

from toolkit import hookimpl
from toolkit.errors import ExitCode, VtkError
from toolkit.run.loop import fit
from toolkit.run.run import Run

QUIET = "extensions: {checkpoints: false, metrics: false, tensorboard: false, progress: false}\n"
pytestmark = pytest.mark.formats

MakeRun = Callable[..., Run]


def weights(run: Run) -> torch.Tensor:
    return torch.cat([p.detach().reshape(-1) for p in run.model.parameters()])


def trained(run: Run) -> Run:
    fit(run)
    return run


def test_training_equals_a_plain_loop_to_the_bit(make_run: MakeRun) -> None:
    run = make_run("train.precision=fp32", "optimizer={name: sgd, lr: 0.01, momentum: 0.9}")
    fit(run)
    assert torch.equal(weights(run), reference_epochs(seed=0, epochs=2, batch_size=8))


@pytest.mark.parametrize(
    "workers", [("loader.workers=2", "loader.kind=thread"), ("loader.workers=2", "loader.kind=process")]
)
def test_workers_change_nothing(make_run: MakeRun, workers: tuple[str, ...]) -> None:
    alone, helped = trained(make_run("loader.workers=0")), trained(make_run(*workers))
    assert torch.equal(weights(alone), weights(helped))
    assert alone.history == helped.history


def test_another_seed_gives_other_weights(make_run: MakeRun) -> None:
    one, two = trained(make_run()), trained(make_run("seed=1"))
    assert not torch.equal(weights(one), weights(two))


def test_history_has_train_and_validation_side_by_side(make_run: MakeRun) -> None:
    run = make_run("train.epochs=3")
    fit(run)
    assert [row["epoch"] for row in run.history] == [1, 2, 3]
    assert {"train/loss", "train/mae", "val/loss", "val/mae", "lr"} <= set(run.history[0])
    assert run.history[-1]["val/loss"] < run.history[0]["val/loss"]


def test_validation_runs_every_so_many_epochs_and_after_the_last(make_run: MakeRun) -> None:
    run = make_run("train.epochs=5", "train.validate_every=2")
    fit(run)
    assert [row["epoch"] for row in run.history if "val/loss" in row] == [2, 4, 5]


def test_a_stage_of_steps_cycles_through_the_data(make_run: MakeRun) -> None:
    run = make_run(text="train: {steps: 21, steps_per_epoch: 5, batch_size: 32}\n" + QUIET)
    fit(run)
    assert run.step == 21
    assert [row["step"] for row in run.history] == [5, 10, 15, 20, 21]


def test_accumulated_batches_make_the_step_of_the_large_batch(make_run: MakeRun) -> None:
    plain = ("model.dropout=0.0", "optimizer={name: sgd, lr: 0.01}", "loader.shuffle=false", "train.epochs=1")
    plain = (*plain, "train.precision=fp32")
    large = trained(make_run(*plain, "train.batch_size=24"))
    small = trained(make_run(*plain, "train.batch_size=8", "train.accumulate=3"))
    assert (large.step, small.step) == (3, 3)
    torch.testing.assert_close(weights(small), weights(large), rtol=1e-5, atol=1e-7)
    assert small.history[0]["train/loss"] == pytest.approx(large.history[0]["train/loss"], rel=1e-5)


def test_clipping_bounds_the_step_and_logs_the_norm(make_run: MakeRun) -> None:
    records: list[Any] = []
    run = make_run("train.clip_norm=0.5", "optimizer={name: sgd, lr: 1.0}", "train.epochs=1", "train.batch_size=64")
    before = weights(run)
    run.plugins.register(Recorder(records))
    fit(run)
    assert (weights(run) - before).norm().item() == pytest.approx(0.5, rel=1e-4)
    assert records[0]["grad_norm"] > 0.5


class Recorder:
    """Collects step records."""

    def __init__(self, records: list[Any]) -> None:
        self.records = records

    @hookimpl
    def vtk_log(self, records: Any) -> None:
        self.records += records


def test_lbfgs_takes_the_same_path_and_converges_fast(make_run: MakeRun) -> None:
    run = make_run(
        "optimizer={name: lbfgs, lr: 1.0, line_search: strong_wolfe}",
        "train.batch_size=64",
        "train.epochs=60",
        "model.dropout=0.0",
        "data.noise=0.0",
    )
    fit(run)
    assert run.history[-1]["train/loss"] < 1e-3 * run.history[0]["train/loss"]


def test_stages_have_their_own_rate_and_length(make_run: MakeRun) -> None:
    text = (
        QUIET + "train: {batch_size: 32}\n"
        "stages:\n- {name: head, epochs: 1, lr: 0.5, note: first}\n- {name: all, steps: 3, note: second}\n"
    )
    run = make_run(text=text)
    fit(run)
    assert [row["lr"] for row in run.history] == [0.5, 1e-3, 1e-3]
    assert run.step == 2 + 3
    assert run.state["toy"]["notes"] == ["first", "second"]


def test_a_run_without_a_length_says_what_to_set(make_run: MakeRun) -> None:
    with pytest.raises(VtkError, match="does not say how long") as error:
        make_run(text="train: {batch_size: 8}\n")
    assert error.value.code == ExitCode.RECIPE


def test_a_length_beside_stages_is_refused(make_run: MakeRun) -> None:
    with pytest.raises(VtkError, match="the recipe has stages"):
        make_run(text="train: {epochs: 3}\nstages: [{epochs: 1}]\n")


def test_a_non_finite_loss_stops_before_the_update(make_run: MakeRun) -> None:
    run = make_run("data.poison_at=0", "loader.shuffle=false", "train.batch_size=8")
    before = weights(run).clone()
    with pytest.raises(VtkError, match="the loss is nan at step 1") as error:
        fit(run)
    assert error.value.code == ExitCode.NON_FINITE
    assert torch.equal(weights(run), before)


def test_answers_that_are_no_numbers_after_the_last_step_are_said(
    make_run: MakeRun, caplog: pytest.LogCaptureFixture
) -> None:
    def spoil(optimizer: torch.optim.Optimizer, *_: object) -> None:
        optimizer.param_groups[0]["params"][0].data.fill_(float("nan"))

    caplog.set_level("INFO", logger="toolkit")
    spoiler = register_optimizer_step_post_hook(spoil)
    run = make_run("train.steps=1", "train.epochs=null")
    try:
        fit(run)
    finally:
        spoiler.remove()
    assert math.isnan(run.history[-1]["val/loss"])
    assert "val/loss is nan after step 1: the network's answers are no finite numbers" in caplog.text


def test_an_extension_can_stop_the_run_after_an_epoch(make_run: MakeRun) -> None:
    run = make_run("train.epochs=50")
    run.stop("enough")
    fit(run)
    assert run.epoch == 0
    assert run.stop_reason == "enough"


def test_an_unknown_best_metric_lists_what_there_is(make_run: MakeRun) -> None:
    with pytest.raises(VtkError, match=r"train\.best: there is no metric 'val/acuracy'") as error:
        make_run("train.best=val/acuracy")
    assert "val/mae" in str(error.value.hint)


def test_best_follows_the_direction_of_its_metric(make_run: MakeRun) -> None:
    run = make_run("train.epochs=4", "train.best=val/mae")
    fit(run)
    assert run.best is not None
    assert run.best.value == min(row["val/mae"] for row in run.history)


def test_an_optimizer_that_clears_gradients_in_its_own_way_is_asked_to(make_run: MakeRun) -> None:
    cleared = []

    class Counting(torch.optim.SGD):
        def zero_grad(self, set_to_none: bool = True) -> None:
            cleared.append(1)
            super().zero_grad(set_to_none)

    class Plugin:
        @hookimpl
        def vtk_optimizer(self, model: torch.nn.Module) -> torch.optim.Optimizer:
            return Counting(model.parameters(), lr=0.01)

    run = make_run()
    run.plugins.register(Plugin())
    fit(run)
    assert len(cleared) == run.step > 0
