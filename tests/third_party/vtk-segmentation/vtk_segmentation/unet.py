"""A U-Net and what it minimises."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from vtk_segmentation.folders import IGNORED


def block(inputs: int, outputs: int) -> nn.Sequential:
    """Two convolutions."""
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(True)]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """(N, 3, H, W) in -1..1 to logits (N, classes, H, W); H and W are multiples of 2^depth."""

    def __init__(self, classes: int, width: int, depth: int) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(depth + 1)]
        self.down = nn.ModuleList(block(i, o) for i, o in zip([3, *widths[:-1]], widths, strict=True))
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, 2) for w in reversed(widths[:-1]))
        self.join = nn.ModuleList(block(2 * w, w) for w in reversed(widths[:-1]))
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        x, kept = images, []
        for level, convolutions in enumerate(self.down):
            x = convolutions(x if level == 0 else functional.max_pool2d(x, 2))
            kept.append(x)
        kept.pop()
        for up, join in zip(self.up, self.join, strict=True):
            x = join(torch.cat([kept.pop(), up(x)], 1))
        logits: Tensor = self.head(x)
        return logits


def soft_dice(logits: Tensor, masks: Tensor) -> Tensor:
    """1 - 2 |A ∩ B| / (|A| + |B|) with probabilities for A, mean over classes and pictures (Milletari et al., 2016)."""
    known = (masks != IGNORED).unsqueeze(1)
    truth = functional.one_hot(masks.where(masks != IGNORED, 0), logits.shape[1]).movedim(-1, 1) * known
    shares = logits.softmax(1) * known
    both = (shares * truth).sum((2, 3))
    # The 1 keeps a class that is not there from counting as wholly missed.
    return 1 - ((2 * both + 1) / (shares.sum((2, 3)) + truth.sum((2, 3)) + 1)).mean()


class SegmentationLoss:
    """Cross-entropy, the mean over all pixels whose class is known, and Dice times its weight."""

    def __init__(self, dice: float) -> None:
        self.dice = dice

    def __call__(self, logits: Tensor, batch: Any) -> dict[str, Tensor]:
        costs = functional.cross_entropy(logits, batch.targets, ignore_index=IGNORED, reduction="sum")
        # Where no pixel is known there is nothing to learn, and 0 / 0 would end the run.
        terms = {"cross_entropy": costs / self.known_pixels(batch).clamp(min=1)}
        if self.dice:
            terms["dice"] = self.dice * soft_dice(logits, batch.targets)
        return terms

    def batch_weight(self, batch: Any) -> dict[str, Tensor]:
        """Over what the means go: Dice, which is not named, over pictures."""
        return {"cross_entropy": self.known_pixels(batch)}

    @staticmethod
    def known_pixels(batch: Any) -> Tensor:
        return (batch.targets != IGNORED).sum()
