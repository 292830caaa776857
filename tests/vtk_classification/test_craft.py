"""Each technique of training changes what it says it changes, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from toolkit.data.augment.mixing import Mixed
from toolkit.errors import ExitCode, VtkError
from toolkit.labelled_images.tta import TestTimeAugmentation
from toolkit.recipe.load import load_text
from toolkit.run.finish import evaluate_final
from toolkit.run.loop import fit
from toolkit.run.run import Run
from toolkit.run.setup import prepare
from toolkit.types.data import Batch, BatchKey
from vtk_classification.loss import build_loss, class_weights

MakeRun = Callable[..., Run]

DIGITS = """
task: classification
data: {source: {name: digits}, image_size: 8, grey: true, augment: none, limit: 200}
model: {name: cnn, channels: [4, 8], hidden: [16], batch_norm: true}
train: {epochs: 1, batch_size: 32}
extensions: {checkpoints: false, metrics: false, tensorboard: false, progress: false}
"""


@pytest.fixture
def digits() -> MakeRun:
    """A run on 200 digits that is ready to train; what it says is in ``run.console.file``."""
    import io

    from rich.console import Console

    def make(*sets: str, text: str = DIGITS) -> Run:
        return prepare(load_text(text, name="craft", sets=sets), console=Console(file=io.StringIO(), width=200))

    return make


def first_loss(run: Run) -> float:
    fit(run)
    return round(float(run.history[0]["train/loss"]), 7)


def test_each_loss_trains_in_its_own_way(digits: MakeRun) -> None:
    losses = {
        name: first_loss(digits(f"loss={loss}"))
        for name, loss in {
            "plain": "{name: cross_entropy}",
            "smoothed": "{name: cross_entropy, label_smoothing: 0.1}",
            "named": "{name: cross_entropy, class_weights: {'3': 9.0}}",
            "focal": "{name: focal}",
            "focal-5": "{name: focal, gamma: 5.0}",
        }.items()
    }
    assert len(set(losses.values())) == len(losses)


def test_class_weights_come_from_the_training_images(digits: MakeRun) -> None:
    from toolkit.data.loading.balance import effective_number, inverse_frequency

    run = digits()
    counts = np.bincount(run.data.train.targets, minlength=10)
    assert run.data.meta["counts"] == counts.tolist()
    recipe: Any = digits("loss.class_weights=auto").recipe
    np.testing.assert_allclose(class_weights(recipe.loss, run.data.meta), inverse_frequency(counts))
    recipe = digits("loss.class_weights=effective_number", "loss.beta=0.99").recipe
    np.testing.assert_allclose(class_weights(recipe.loss, run.data.meta), effective_number(counts, 0.99))


def test_weights_by_name_must_name_classes(digits: MakeRun) -> None:
    with pytest.raises(VtkError, match="there is no class 'three'") as caught:
        digits("loss.class_weights={three: 2.0}")
    assert caught.value.code == ExitCode.RECIPE


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        (["loss.beta=0.9"], "beta goes with class_weights: effective_number"),
        (["data.mix={probability: 0.5}"], "give mixup, cutmix or both"),
        (["data.erase={smallest: 0.5, largest: 0.2}"], "smallest"),
        (["optimizer.decay_norms_and_biases=false"], "no effect without weight_decay"),
        (["model={name: cnn, channels: [4], drop_path: 0.1}"], "drop_path"),
        (["loss={name: cross_entropy, gamma: 2.0}"], "gamma"),
    ],
)
def test_options_without_effect_are_errors(sets: list[str], message: str) -> None:
    with pytest.raises(VtkError, match=message) as caught:
        load_text(DIGITS, sets=sets)
    assert caught.value.code == ExitCode.RECIPE


@pytest.mark.parametrize("sampler", ["weighted", "oversample", "undersample"])
def test_samplers_even_out_the_classes(digits: MakeRun, sampler: str) -> None:
    data = digits(f"data.sampler={sampler}", "data.limit=null").data
    targets, draw = np.asarray(data.train.dataset.targets), data.train.draw
    drawn = np.concatenate([targets[draw.samples(0, epoch)[0]] for epoch in range(20)])
    counts = np.bincount(drawn)
    if sampler == "weighted":
        np.testing.assert_allclose(counts, counts.mean(), atol=4 * np.sqrt(counts.mean()))
    else:
        assert len(set(counts.tolist())) == 1
    sizes = np.bincount(targets)
    expected = {"weighted": len(targets), "oversample": 10 * sizes.max(), "undersample": 10 * sizes.min()}
    assert len(data.train) == expected[sampler]


def test_a_sampler_with_weights_is_warned_of(digits: MakeRun) -> None:
    both = digits("data.sampler=weighted", "loss.class_weights=auto")
    one = digits("data.sampler=weighted")
    assert "warning: data.sampler and loss.class_weights both favour small classes" in both.console.file.getvalue()
    assert "warning" not in one.console.file.getvalue()


def transformed(run: Run, training: bool) -> Any:
    batch = run.data.train.__getitems__(range(16))
    return run.data.transform(batch, BatchKey(seed=0, epoch=0, step=3, training=training))


@pytest.mark.parametrize("mix", ["{mixup: 0.5}", "{cutmix: 1.0}", "{mixup: 0.2, cutmix: 1.0}"])
def test_training_batches_are_mixed_and_no_others(digits: MakeRun, mix: str) -> None:
    run = digits(f"data.mix={mix}")
    mixed, plain = transformed(run, True), transformed(run, False)
    assert isinstance(mixed, Mixed)
    assert mixed.mixture.shape == (16, 10)
    torch.testing.assert_close(mixed.mixture.sum(1), torch.ones(16))
    assert isinstance(plain, Batch)
    fit(run)
    assert np.isfinite(run.history[0]["train/loss"])
    assert "train/accuracy" in run.history[0]


def test_the_batches_of_one_step_are_mixed_each_in_its_own_way(digits: MakeRun) -> None:
    from dataclasses import replace

    from toolkit.run.batches import training_batches
    from toolkit.run.loop import training_loader

    run = digits("data.mix={mixup: 1.0}", "train.accumulate=4", "train.batch_size=16")
    run.loader = training_loader(run)
    run.stage = replace(run.stages[0], batches=len(run.loader))
    drawn = training_batches(run)
    shares = [float(part.mixture.max(1).values.min()) for part in next(drawn)]
    drawn.close()
    run.loader.close()
    assert len({round(share, 4) for share in shares}) == 4


def test_erasing_changes_training_batches_alone(digits: MakeRun) -> None:
    run, untouched = digits("data.erase={probability: 1.0, fill: noise}"), digits()
    assert not torch.equal(transformed(run, True).inputs, transformed(untouched, True).inputs)
    assert torch.equal(transformed(run, False).inputs, transformed(untouched, False).inputs)


def test_he_initialisation_is_one_key(digits: MakeRun) -> None:
    deviation = digits("model.init=he").model.features[4].weight.detach().std()
    assert float(deviation) == pytest.approx((2 / (4 * 9)) ** 0.5, rel=0.15)
    assert float(digits().model.features[4].weight.detach().std()) < 0.6 * float(deviation)


STAGES = "stages=[{name: head, train: head, epochs: 1}, {name: last, train: [features.4, head], epochs: 1}]"


def test_what_is_frozen_stays_bit_identical_running_statistics_included(digits: MakeRun) -> None:
    run = digits("train.epochs=null", STAGES)
    before = {name: tensor.clone() for name, tensor in run.model.state_dict().items()}
    fit(run)
    after = run.model.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"features.4.weight", "features.4.bias", "classifier.3.weight", "classifier.3.bias"}


def test_layer_decay_moves_deep_layers_less(digits: MakeRun) -> None:
    def moved(*sets: str) -> dict[str, float]:
        run = digits("optimizer={name: sgd, lr: 0.01}", *sets)
        before = {name: p.detach().clone() for name, p in run.model.named_parameters()}
        fit(run)
        return {name: float((p.detach() - before[name]).norm()) for name, p in run.model.named_parameters()}

    plain, decayed = moved(), moved("optimizer.layer_decay=0.01")
    assert decayed["features.0.weight"] < 0.01 * plain["features.0.weight"]
    assert decayed["classifier.3.weight"] > 0.3 * plain["classifier.3.weight"]


def test_dropout_and_drop_path_act_in_training_alone() -> None:
    from toolkit.models.backbones import create

    torch.manual_seed(0)
    images = torch.randn(2, 3, 64, 64)
    for options in ({"dropout": 0.9}, {"drop_path": 0.9}):
        model = create("timm:vit_tiny_patch16_224", num_classes=3, image_size=64, **options).model
        assert not torch.equal(model.train()(images), model(images))
        assert torch.equal(model.eval()(images), model(images))


@pytest.mark.parametrize(("tta", "views"), [("mirror", 2), ("crops", 12)])
def test_views_are_averaged_in_evaluation_and_prediction_and_not_in_training(
    digits: MakeRun, tta: str, views: int
) -> None:
    run, plain = digits(f"inference.tta={tta}"), digits()
    fit(run)
    fit(plain)
    assert run.history == plain.history
    model = run.hook.vtk_inference(recipe=run.recipe, model=run.model)
    assert isinstance(model, TestTimeAugmentation)
    assert plain.hook.vtk_inference(recipe=plain.recipe, model=plain.model) is None
    calls: list[int] = []
    handle = run.model.register_forward_hook(lambda *_: calls.append(1))
    outputs = evaluate_final(run, "val").outputs
    handle.remove()
    batches = -(-len(run.data.val) // 32)
    assert len(calls) == views * batches
    assert not torch.allclose(outputs.softmax(1), evaluate_final(plain, "val").outputs.softmax(1), atol=1e-4)


def test_the_loss_of_a_bundle_is_that_of_training(digits: MakeRun) -> None:
    run = digits("loss.class_weights=auto")
    recipe: Any = run.recipe
    logits, batch = torch.randn(4, 10), Batch(torch.zeros(4), torch.tensor([1, 2, 3, 4]))
    assert float(build_loss(recipe.loss, run.data.meta)(logits, batch)) == float(run.loss(logits, batch))
