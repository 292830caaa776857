"""Mixtures hold what they say, by their formulas; draws depend on the batch's key alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from toolkit.data.augment.mixing import Chain, CutMix, Mixed, Mixup, OneOf, RandomErasing, loss_targets
from toolkit.types.data import Batch, BatchKey

CLASSES = 5


def key(step: int = 0, training: bool = True, seed: int = 0) -> BatchKey:
    return BatchKey(seed=seed, epoch=0, step=step, training=training)


def batch(n: int = 8, side: int = 16) -> Batch:
    """Each image has one value all over, its own number, so that mixtures can be read."""
    images = torch.arange(1, n + 1, dtype=torch.float32)[:, None, None, None].expand(n, 3, side, side).clone()
    return Batch(images.to(memory_format=torch.channels_last), torch.arange(n) % CLASSES)


def one_hot(values: torch.Tensor) -> torch.Tensor:
    return F.one_hot((values.long() - 1) % CLASSES, CLASSES).float()


ALL = [Mixup(0.8, CLASSES), CutMix(1.0, CLASSES), RandomErasing(0.7), RandomErasing(0.7, fill="noise")]


@pytest.mark.parametrize("transform", [*ALL, OneOf(ALL), Chain(ALL)])
def test_evaluation_batches_are_left_alone(transform):
    before = batch()
    after = transform(before, key(training=False))
    assert torch.equal(after.inputs, batch().inputs)
    assert after.targets is before.targets
    assert not isinstance(after, Mixed)


@pytest.mark.parametrize("transform", [*ALL, OneOf(ALL[:2], 0.5), Chain(ALL)])
def test_draws_depend_on_seed_and_step_alone_and_spare_the_batch_that_was_given(transform):
    given = batch()
    one, same = transform(given, key(3)), transform(batch(), key(3))
    assert torch.equal(one.inputs, same.inputs)
    assert torch.equal(loss_targets(one), loss_targets(same))
    assert torch.equal(given.inputs, batch().inputs)
    others = [transform(batch(), key(step, seed=seed)).inputs for step in range(4, 8) for seed in (0, 1)]
    assert any(not torch.equal(one.inputs, other) for other in others)


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_mixup_mixes_images_and_targets_by_the_same_share(alpha):
    images = torch.eye(8)[:, None, None, :].expand(8, 3, 4, 8)
    targets = torch.arange(8) % CLASSES
    shares = []
    for step in range(300):
        mixed = Mixup(alpha, CLASSES)(Batch(images, targets), key(step))
        parts = mixed.inputs[:, 0, 0]  # how much of each image is in each mixture
        assert torch.equal(mixed.inputs, parts[:, None, None, :].expand(8, 3, 4, 8))
        torch.testing.assert_close(mixed.mixture, parts @ F.one_hot(targets, CLASSES).float())
        assert torch.equal(mixed.targets, targets[parts.argmax(1)])
        shares += [float(parts[0, 0])] if float(parts[0, 0]) < 1 else []
    assert np.mean(shares) == pytest.approx(0.5, abs=0.07)
    assert np.var(shares) == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.25)


def test_cutmix_pastes_one_rectangle_and_mixes_targets_by_its_area():
    areas = []
    for step in range(200):
        mixed = CutMix(1.0, CLASSES)(batch(), key(step))
        changed = mixed.inputs[:, 0] != torch.arange(1, 9)[:, None, None]
        rows, columns = changed.any(0).any(1).nonzero(), changed.any(0).any(0).nonzero()
        if not len(rows):
            continue
        area = len(rows) * len(columns) / 256
        assert int(changed[changed.any(2).any(1)][0].sum()) == len(rows) * len(columns)
        inside = mixed.inputs[:, 0, rows[0, 0], columns[0, 0]]
        expected = (1 - area) * one_hot(torch.arange(1, 9)) + area * one_hot(inside)
        torch.testing.assert_close(mixed.mixture, expected)
        prevailing = torch.arange(1, 9) if area <= 0.5 else inside
        assert torch.equal(mixed.targets, (prevailing.long() - 1) % CLASSES)
        areas.append(area)
    assert min(areas) < 0.05
    assert max(areas) > 0.6


@pytest.mark.parametrize("kind", [torch.int64, torch.float32])
def test_multi_hot_targets_are_mixed_as_they_are(kind):
    labels = torch.eye(8, dtype=kind)
    labels[0] = 0
    given = Batch(batch().inputs, labels)
    mixed = Mixup(1.0, 8)(given, key(1))
    assert mixed.mixture.shape == (8, 8)
    assert float(mixed.mixture.sum()) == pytest.approx(7, abs=1e-5)
    assert set(mixed.targets.unique().tolist()) == {0.0, 1.0}


def test_mixtures_sum_to_one_and_losses_see_them():
    mixed = Mixup(0.5, CLASSES)(batch(), key())
    torch.testing.assert_close(loss_targets(mixed).sum(1), torch.ones(8))
    assert loss_targets(batch()).dtype == torch.int64


@pytest.mark.parametrize("fill", ["mean", "noise"])
def test_erasing_replaces_a_rectangle_of_the_stated_area_in_the_stated_share_of_images(fill):
    erased, areas, values = 0, [], []
    for step in range(60):
        after = RandomErasing(0.25, (0.1, 0.3), fill)(batch(n=16, side=40), key(step))
        changed = (after.inputs != batch(n=16, side=40).inputs).any(1)
        for image in changed[changed.flatten(1).any(1)]:
            box = image.any(1).sum() * image.any(0).sum()
            assert int(image.sum()) == int(box)
            areas.append(float(box) / 1600)
            erased += 1
        values.append(after.inputs.permute(0, 2, 3, 1)[changed].flatten())
    assert erased / (60 * 16) == pytest.approx(0.25, abs=0.05)
    assert float(torch.cat(values).mean()) == pytest.approx(0, abs=0.02)
    assert float(torch.cat(values).std()) == pytest.approx(0 if fill == "mean" else 1, abs=0.02)
    assert min(areas) >= 0.08
    assert max(areas) <= 0.32


def test_one_of_takes_each_equally_often_and_sometimes_none():
    choice = OneOf([Mixup(1.0, CLASSES), RandomErasing(1.0)], probability=0.6)
    found = [choice(batch(), key(step)) for step in range(400)]
    mixed = sum(isinstance(b, Mixed) for b in found)
    untouched = sum(torch.equal(b.inputs, batch().inputs) for b in found)
    assert mixed / 400 == pytest.approx(0.3, abs=0.07)
    assert untouched / 400 == pytest.approx(0.4, abs=0.07)


def test_transforms_of_one_batch_draw_independently():
    shares, areas = [], []
    for step in range(200):
        mixture = Mixup(1.0, CLASSES)(batch(), key(step)).mixture
        shares.append(float(mixture.max(1).values.min()))
        areas.append(float(CutMix(1.0, CLASSES)(batch(), key(step)).mixture.max(1).values.min()))
    assert abs(np.corrcoef(shares, areas)[0, 1]) < 0.25


def test_memory_format_is_kept():
    for transform in ALL:
        assert transform(batch(), key()).inputs.is_contiguous(memory_format=torch.channels_last)
