"""Class weights against their formulas and scikit-learn; draws against their frequencies."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from toolkit.data.loading.balance import (
    EpochDraw,
    Resampled,
    effective_number,
    inverse_frequency,
    label_rarity,
    positive_weights,
    resampled,
)
from toolkit.data.loading.loaders import build_loader
from toolkit.types.data import Batch, IndexBatch, SampleIndex

COUNTS = [200, 50, 10]
CLASSES = np.repeat([0, 1, 2], COUNTS)


class OneByOne:
    """Gives what it was asked for, and a draw from the sample's own generator."""

    thread_safe = True

    def __len__(self) -> int:
        return len(CLASSES)

    def __getitem__(self, index: SampleIndex) -> Batch:
        return Batch(torch.tensor(index.rng().random()), torch.tensor(int(index)))


class ByBatch(OneByOne):
    in_memory = True

    def __getitems__(self, indices: IndexBatch) -> Batch:
        samples = [self[index] for index in indices]
        return Batch(torch.stack([s.inputs for s in samples]), torch.stack([s.targets for s in samples]))


def test_inverse_frequency_is_scikit_learns_balanced():
    from sklearn.utils.class_weight import compute_class_weight

    expected = compute_class_weight("balanced", classes=np.arange(3), y=CLASSES)
    np.testing.assert_allclose(inverse_frequency(COUNTS), expected, rtol=1e-12)


@pytest.mark.parametrize("beta", [0.0, 0.9, 0.999])
def test_effective_number_follows_its_formula(beta):
    raw = np.array([(1 - beta) / (1 - beta**n) for n in COUNTS])
    expected = raw * sum(COUNTS) / (raw * COUNTS).sum()
    np.testing.assert_allclose(effective_number(COUNTS, beta), expected, rtol=1e-9)


def test_effective_number_lies_between_equal_weights_and_inverse_frequency():
    np.testing.assert_allclose(effective_number(COUNTS, 0.0), [1, 1, 1])
    np.testing.assert_allclose(effective_number(COUNTS, 1 - 1e-9), inverse_frequency(COUNTS), rtol=1e-5)


@pytest.mark.parametrize("weights", [inverse_frequency, effective_number])
def test_a_class_without_samples_gets_no_weight_and_the_mean_over_samples_is_one(weights):
    counts = np.array([200, 0, 10])
    found = weights(counts)
    assert found[1] == 0
    assert (found * counts).sum() / counts.sum() == pytest.approx(1 if weights is effective_number else 2 / 3)


def test_positive_weights_are_negatives_over_positives():
    np.testing.assert_allclose(positive_weights([1, 50, 0, 100], 100), [99, 1, 1, 1])


def test_the_rarest_label_of_an_image_decides_its_rarity():
    labels = np.zeros((8, 3), dtype=np.uint8)
    labels[:6, 0] = 1
    labels[5:7, 1] = 1
    np.testing.assert_allclose(label_rarity(labels), [1, 1, 1, 1, 1, 3, 3, 1])


def drawn_classes(draw: EpochDraw, epochs: int) -> np.ndarray:
    samples = np.concatenate([draw.samples(0, epoch)[0] for epoch in range(epochs)])
    return np.bincount(CLASSES[samples], minlength=3)


def test_weighted_draws_come_in_the_proportion_of_their_weights_within_sampling_error():
    weights = inverse_frequency(COUNTS)[CLASSES]
    draw = EpochDraw("weighted", weights=weights)
    assert len(draw) == len(CLASSES)
    counts = drawn_classes(draw, epochs=100)
    total, share = counts.sum(), 1 / 3
    tolerance = 4 * np.sqrt(total * share * (1 - share))
    np.testing.assert_allclose(counts, total * share, atol=tolerance)


def test_oversampling_gives_each_class_the_count_of_the_largest_and_no_sample_much_more_than_its_peers():
    draw = EpochDraw("oversample", classes=CLASSES)
    samples, _ = draw.samples(0, 0)
    np.testing.assert_array_equal(np.bincount(CLASSES[samples]), [200, 200, 200])
    times = np.bincount(samples, minlength=len(CLASSES))
    assert set(times[CLASSES == 0]) == {1}
    assert set(times[CLASSES == 1]) == {4}
    assert set(times[CLASSES == 2]) == {20}


def test_undersampling_gives_each_class_the_count_of_the_smallest_and_shows_all_samples_in_time():
    draw = EpochDraw("undersample", classes=CLASSES)
    samples, copies = draw.samples(0, 0)
    np.testing.assert_array_equal(np.bincount(CLASSES[samples]), [10, 10, 10])
    assert not copies.any()
    seen = np.unique(np.concatenate([draw.samples(0, epoch)[0] for epoch in range(200)]))
    assert len(seen) == len(CLASSES)


@pytest.mark.parametrize("kind", ["weighted", "oversample", "undersample"])
def test_draws_depend_on_seed_and_epoch_alone(kind):
    def make() -> EpochDraw:
        return EpochDraw(kind, classes=CLASSES, weights=np.ones(len(CLASSES)))

    one, other = make(), make()
    other.samples(3, 7)
    np.testing.assert_array_equal(one.samples(3, 5)[0], other.samples(3, 5)[0])
    assert (one.samples(3, 5)[0] != one.samples(3, 6)[0]).any()
    assert (one.samples(3, 5)[0] != one.samples(4, 5)[0]).any()


def test_a_sample_drawn_again_within_an_epoch_is_augmented_anew():
    data = resampled(OneByOne(), EpochDraw("oversample", classes=CLASSES))
    batch = [data[SampleIndex(i, seed=1, epoch=2)] for i in range(len(data))]
    noise = np.array([float(s.inputs) for s in batch])
    samples = np.array([int(s.targets) for s in batch])
    for sample in (0, 210, 255):
        of_one = noise[samples == sample]
        assert len(np.unique(of_one)) == len(of_one)
    first_of = {int(s): n for s, n in zip(samples[::-1], noise[::-1], strict=True)}
    assert first_of[255] == OneByOne()[SampleIndex(255, seed=1, epoch=2)].inputs


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("kind", ["weighted", "oversample"])
def test_whole_batches_equal_samples_one_by_one_whoever_fetches(kind, workers):
    def batches(dataset: Any) -> list[Batch]:
        draw = EpochDraw(kind, classes=CLASSES, weights=inverse_frequency(COUNTS)[CLASSES])
        with build_loader(resampled(dataset, draw), batch_size=64, seed=5, shuffle=True, workers=workers) as loader:
            return list(loader.once(3))

    for one, other in zip(batches(OneByOne()), batches(ByBatch()), strict=True):
        assert torch.equal(one.inputs, other.inputs)
        assert torch.equal(one.targets, other.targets)


def test_a_resampled_dataset_says_what_the_loader_asks_and_travels_to_other_processes():
    data = resampled(ByBatch(), EpochDraw("undersample", classes=CLASSES))
    assert data.in_memory
    assert data.thread_safe
    copy = pickle.loads(pickle.dumps(data))
    np.testing.assert_array_equal(copy.draw.samples(0, 1)[0], data.draw.samples(0, 1)[0])


def test_no_repetition_of_a_sample_is_augmented_like_another() -> None:
    """Also not the 4,097th, whose epoch once was the first's, counted in 32 bits."""
    count = 4_200

    class Seen:
        in_memory = thread_safe = True

        def __len__(self) -> int:
            return 2

        def __getitem__(self, index: SampleIndex) -> int:
            return index.key

        def __getitems__(self, indices: Sequence[int]) -> list[int]:
            return [index.key for index in IndexBatch.of(indices)]

    draw = EpochDraw("oversample", classes=np.array([0] + [1] * count), weights=np.ones(count + 1))
    shown = resampled(Seen(), draw).__getitems__(IndexBatch(np.arange(len(draw)), seed=3, epoch=0))
    assert len(set(shown)) == len(shown) >= 2 * count
    singly = Resampled(Seen(), draw)
    assert [singly[SampleIndex(i, seed=3)] for i in range(0, len(draw), 997)] == shown[::997]
