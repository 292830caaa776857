"""Each loss against an independent reference: its closed form in float64, torchvision, timm, torch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from toolkit.labelled_images.losses import AsymmetricLoss, BinaryCrossEntropy, BinaryFocalLoss, CrossEntropy, FocalLoss

WEIGHTS = [0.5, 2.0, 1.0, 3.5]


@pytest.fixture
def logits() -> Tensor:
    return 3 * torch.randn(9, 4, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def classes() -> Tensor:
    return torch.randint(4, (9,), generator=torch.Generator().manual_seed(2))


@pytest.fixture
def labels() -> Tensor:
    return torch.randint(2, (9, 4), generator=torch.Generator().manual_seed(3)).float()


@pytest.fixture
def distribution() -> Tensor:
    return torch.rand(9, 4, generator=torch.Generator().manual_seed(4)).softmax(dim=1)


def softmax64(logits: Tensor) -> np.ndarray:
    e = np.exp(logits.numpy().astype(np.float64))
    return e / e.sum(axis=1, keepdims=True)


def sigmoid64(logits: Tensor) -> np.ndarray:
    return 1 / (1 + np.exp(-logits.numpy().astype(np.float64)))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weight", [None, WEIGHTS])
def test_cross_entropy_with_class_indices_is_torchs(logits, classes, weight, smoothing):
    theirs = nn.CrossEntropyLoss(None if weight is None else torch.tensor(weight), label_smoothing=smoothing)
    assert float(CrossEntropy(weight, smoothing)(logits, classes)) == pytest.approx(
        float(theirs(logits, classes)), abs=1e-6
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weight", [None, WEIGHTS])
@pytest.mark.parametrize("loss", [CrossEntropy, lambda w, s: FocalLoss(2.0, w, s)])
def test_one_hot_targets_mean_the_same_as_class_indices(logits, classes, loss, weight, smoothing):
    one_hot = nn.functional.one_hot(classes, 4).float()
    ours = loss(weight, smoothing)
    assert float(ours(logits, one_hot)) == pytest.approx(float(ours(logits, classes)), abs=1e-6)


def test_cross_entropy_of_distributions_follows_its_formula(logits, distribution):
    y, w = distribution.numpy().astype(np.float64), np.array(WEIGHTS)
    expected = -(w * y * np.log(softmax64(logits))).sum() / (w * y).sum()
    assert float(CrossEntropy(WEIGHTS)(logits, distribution)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 5.0])
def test_focal_loss_follows_its_formula(logits, classes, gamma):
    p = softmax64(logits)[np.arange(9), classes.numpy()]
    w = np.array(WEIGHTS)[classes.numpy()]
    expected = -(w * (1 - p) ** gamma * np.log(p)).sum() / w.sum()
    assert float(FocalLoss(gamma, WEIGHTS)(logits, classes)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_focal_loss_without_focus_is_cross_entropy(logits, classes, distribution, smoothing):
    for targets in (classes, distribution):
        focal = FocalLoss(0.0, WEIGHTS, smoothing)(logits, targets)
        assert float(focal) == pytest.approx(float(CrossEntropy(WEIGHTS, smoothing)(logits, targets)), abs=1e-6)


def test_binary_cross_entropy_follows_its_formula(logits, labels):
    p, y, w = sigmoid64(logits), labels.numpy().astype(np.float64), np.array(WEIGHTS)
    expected = -(w * y * np.log(p) + (1 - y) * np.log(1 - p)).mean()
    assert float(BinaryCrossEntropy(WEIGHTS)(logits, labels)) == pytest.approx(expected, abs=1e-6)


def test_binary_smoothing_pulls_both_answers_to_a_half(logits, labels):
    p, y = sigmoid64(logits), labels.numpy() * 0.8 + 0.1
    expected = -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean()
    assert float(BinaryCrossEntropy(smoothing=0.2)(logits, labels)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("alpha", [None, 0.25, 0.9])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_binary_focal_loss_is_torchvisions(logits, labels, distribution, gamma, alpha):
    from torchvision.ops import sigmoid_focal_loss

    for targets in (labels, distribution):
        theirs = sigmoid_focal_loss(logits, targets, alpha=-1 if alpha is None else alpha, gamma=gamma).mean()
        assert float(BinaryFocalLoss(gamma, alpha)(logits, targets)) == pytest.approx(float(theirs), abs=1e-6)


@pytest.mark.parametrize(("gamma_pos", "gamma_neg", "margin"), [(1, 4, 0.05), (0, 2, 0.2), (0, 0, 0), (2, 3, 0)])
def test_asymmetric_loss_follows_its_formula(logits, labels, gamma_pos, gamma_neg, margin):
    p, y = sigmoid64(logits), labels.numpy().astype(np.float64)
    shifted = np.maximum(p - margin, 0)
    costs = y * (1 - p) ** gamma_pos * np.log(p) + (1 - y) * shifted**gamma_neg * np.log(1 - shifted)
    ours = AsymmetricLoss(gamma_pos, gamma_neg, margin)(logits, labels)
    assert float(ours) == pytest.approx(-costs.mean(), abs=1e-6)


def test_asymmetric_loss_is_timms(logits, labels):
    from timm.loss import AsymmetricLossMultiLabel

    timms = AsymmetricLossMultiLabel(gamma_neg=4, gamma_pos=1, clip=0.05)
    sums = [timms(one[None], of[None]) for one, of in zip(logits, labels, strict=True)]  # one by one, none is averaged
    assert float(AsymmetricLoss()(logits, labels)) == pytest.approx(float(sum(sums)) / logits.numel(), abs=1e-6)


def test_asymmetric_loss_without_asymmetry_is_binary_cross_entropy(logits, labels):
    ours = AsymmetricLoss(0.0, 0.0, 0.0)(logits, labels)
    assert float(ours) == pytest.approx(float(BinaryCrossEntropy()(logits, labels)), abs=1e-6)


SINGLE: list[Callable[[], nn.Module]] = [CrossEntropy, FocalLoss, lambda: FocalLoss(0.3)]
MULTI: list[Callable[[], nn.Module]] = [
    BinaryCrossEntropy,
    BinaryFocalLoss,
    lambda: BinaryFocalLoss(0.3, 0.25),
    AsymmetricLoss,
    lambda: AsymmetricLoss(0.3, 0.3, 0.1),
    lambda: AsymmetricLoss(margin=0.0),
]


@pytest.mark.parametrize("make", SINGLE + MULTI)
@given(scale=st.sampled_from([1e-4, 1.0, 60.0, 1e4]), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_losses_and_gradients_stay_finite_for_extreme_logits(make, scale, seed):
    generator = torch.Generator().manual_seed(seed)
    logits = (scale * torch.randn(5, 3, generator=generator)).requires_grad_()
    hard = torch.randint(3, (5,), generator=generator)
    targets = hard if make in SINGLE else nn.functional.one_hot(hard, 3).float()
    loss = make()(logits, targets)
    loss.backward()
    assert loss >= 0
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("make", SINGLE + MULTI)
def test_gradients_agree_with_finite_differences(make, logits, classes, labels):
    loss, targets = make(), classes if make in SINGLE else labels.double()
    assert torch.autograd.gradcheck(lambda x: loss(x, targets), logits.double().requires_grad_())


@pytest.mark.parametrize("make", SINGLE + MULTI)
def test_half_precision_logits_are_widened(make, logits, classes, labels):
    targets = classes if make in SINGLE else labels
    half = logits.bfloat16()
    assert make()(half, targets).dtype == torch.float32
    assert float(make()(half, targets)) == float(make()(half.float(), targets))


def test_weights_that_are_no_weights_are_refused():
    with pytest.raises(ValueError, match="finite and not negative"):
        CrossEntropy([1.0, -1.0])
    with pytest.raises(ValueError, match="finite and not negative"):
        BinaryCrossEntropy([1.0, float("inf")])


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    seed=st.integers(0, 2**31),
    smoothing=st.sampled_from([0.0, 0.1]),
    focal=st.booleans(),
    soft=st.booleans(),
)
def test_means_of_batches_weighed_as_they_say_are_the_mean_of_the_whole(
    sizes: list[int], seed: int, smoothing: float, focal: bool, soft: bool
) -> None:
    generator, count = torch.Generator().manual_seed(seed), sum(sizes)
    scores = torch.randn(count, 4, generator=generator, dtype=torch.float64)
    targets: Tensor = torch.randint(4, (count,), generator=generator)
    if soft:
        targets = torch.rand(count, 4, generator=generator, dtype=torch.float64).softmax(1)
    loss = (FocalLoss(2.0, WEIGHTS, smoothing) if focal else CrossEntropy(WEIGHTS, smoothing)).double()
    parts = list(zip(scores.split(sizes), targets.split(sizes), strict=True))
    weights = [loss.batch_weight(part) for _, part in parts]
    assert all(isinstance(weight, Tensor) and weight.dim() == 0 for weight in weights)
    whole = sum(loss(*part) * weight for part, weight in zip(parts, weights, strict=True)) / sum(weights)
    torch.testing.assert_close(whole, loss(scores, targets), rtol=1e-10, atol=0)


@pytest.mark.parametrize("kind", [CrossEntropy, FocalLoss])
def test_without_weights_of_classes_a_batch_counts_by_its_samples(kind: type[CrossEntropy], classes: Tensor) -> None:
    assert kind().batch_weight(classes) is None
