"""The average follows the recurrence, is what is judged and kept, and survives an interruption."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from toolkit import hookimpl
from toolkit.errors import VtkError
from toolkit.inference.bundle import Bundle
from toolkit.run.checkpoint.policy import best_store, checkpoint_store
from toolkit.run.checkpoint.state import restore_early
from toolkit.run.finish import finish
from toolkit.run.loop import fit


class Weights:
    """Remembers the weights before and after each step."""

    def __init__(self):
        self.seen = []

    @hookimpl(wrapper=True)
    def vtk_step(self, run, batch):
        if not self.seen:
            self.seen.append(flat(run.model))
        loss = yield
        self.seen.append(flat(run.model))
        return loss


def flat(model):
    return torch.cat([p.detach().double().reshape(-1) for p in model.parameters()])


def text(epochs=2, best="last", warmup="false"):
    quiet = "{checkpoints: false, metrics: false, tensorboard: false, progress: false, ema: {decay: 0.8, warmup: %s}}"
    return f"task: toy\ntrain: {{epochs: {epochs}, batch_size: 8, best: {best}}}\nextensions: {quiet % warmup}\n"


@pytest.fixture
def trained(make_run, tmp_path):
    def train(**keys):
        run, plugin = make_run(text=text(**keys), directory=tmp_path), Weights()
        run.plugins.register(plugin)
        fit(run)
        return run, plugin.seen

    return train


@pytest.mark.parametrize("warmup", ["false", "true"])
def test_the_average_follows_the_recurrence(trained, warmup):
    run, seen = trained(warmup=warmup)
    expected = seen[0]
    for t, weights in enumerate(seen[1:], start=1):
        decay = min(0.8, (1 + t) / (10 + t)) if warmup == "true" else 0.8
        expected = decay * expected + (1 - decay) * weights
    torch.testing.assert_close(flat(run.average), expected, rtol=1e-5, atol=1e-6)
    assert not torch.equal(flat(run.model), flat(run.average))


def test_training_itself_is_not_changed(trained, make_run):
    _, seen = trained()
    plain = make_run()
    fit(plain)
    assert torch.equal(seen[-1], flat(plain.model))


def test_validation_judges_the_average(trained):
    run, _ = trained()
    val, model = run.data.val, run.average
    from toolkit import SampleIndex

    with torch.inference_mode():
        outputs = model(torch.stack([val[SampleIndex(i)].inputs for i in range(len(val))]))
    assert run.history[-1]["val/mae"] == pytest.approx(float((outputs - val.y).abs().mean()), rel=1e-5)


@pytest.mark.parametrize("best", ["last", "val/mae"])
def test_the_bundle_holds_the_average_and_the_weights_as_trained_lie_beside_it(trained, tmp_path, best):
    run, _ = trained(best=best, epochs=3)
    if best == "last":
        average, raw = run.average.state_dict(), run.model.state_dict()
        average, raw = ({n: t.clone() for n, t in state.items()} for state in (average, raw))
    else:
        tree = best_store(tmp_path).load(run.best.step)
        average, raw = tree["model"], tree["raw"]
    finish(run)
    kept = load_file(tmp_path / "bundle" / "model.safetensors")
    beside = load_file(tmp_path / "raw.safetensors")
    assert all(torch.equal(kept[name], average[name]) for name in average)
    assert all(torch.equal(beside[name], raw[name]) for name in raw)
    assert Bundle.load(tmp_path).directory == tmp_path / "bundle"


def test_an_interrupted_run_goes_on_with_its_average(make_run, tmp_path, trained):
    whole, _ = trained(epochs=4)
    expected = flat(whole.average)
    (tmp_path / "half").mkdir()
    half = make_run(text=text(epochs=4), directory=tmp_path / "half")
    half.plugins.register(StopAfter(2))
    fit(half)
    tree, _, _ = checkpoint_store(tmp_path / "half").load_latest()
    tree["stop_reason"] = None
    again = make_run(text=text(epochs=4), directory=tmp_path / "half")
    restore_early(again, dict(tree))
    fit(again)
    assert torch.equal(flat(again.average), expected)


class StopAfter:
    def __init__(self, epochs):
        self.epochs = epochs

    @hookimpl
    def vtk_epoch_end(self, run, metrics):
        if run.epoch == self.epochs:
            run.stop("enough")


def test_a_task_without_a_model_to_keep_is_refused(make_run, monkeypatch):
    run = make_run(text=text())
    monkeypatch.setattr(type(run.recipe), "predicts", False)
    with pytest.raises(VtkError, match="keeps no model whose weights could be averaged"):
        fit(run)
