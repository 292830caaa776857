"""Losses of classification: one label an image, or any number of labels.

All take logits and compute in at least float32, whatever autocast says. Targets are class indices (int64, shape (n,)),
or floats of the logits' shape: probabilities or multi-hot labels, hard, smoothed or mixed. ``y`` below is the target,
``p`` the softmax or sigmoid of the logits, ``γ`` a focusing exponent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from toolkit.data.augment.mixing import loss_targets

__all__ = [
    "AsymmetricLoss",
    "BinaryCrossEntropy",
    "BinaryFocalLoss",
    "CrossEntropy",
    "FocalLoss",
    "LabelledImageLoss",
    "smooth_binary",
    "smooth_distribution",
]

# Below it, x^γ with γ < 1 has a gradient that floating point cannot hold.
_TINY = 1e-8


class CrossEntropy(nn.Module):
    """Softmax cross-entropy: ``-Σ_c w_c y_c log p_c``, over the total weight of the targets.

    With class indices it is ``torch.nn.CrossEntropyLoss``. With distributions it is divided by ``Σ_n Σ_c w_c y_nc``,
    so that hard and one-hot targets give the same value; torch divides by n there.

    Args:
        weight: one factor a class, or None.
        smoothing: ``ε`` in ``(1 - ε) y + ε / K`` (Szegedy et al., Rethinking the Inception Architecture, 2016).
    """

    weight: Tensor | None

    def __init__(self, weight: Sequence[float] | None = None, smoothing: float = 0.0) -> None:
        super().__init__()
        self.register_buffer("weight", _vector(weight), persistent=False)
        self.smoothing = smoothing

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """``(n, classes)`` and ``(n,)`` or ``(n, classes)`` → scalar."""
        logits = _widened(logits)
        weight = None if self.weight is None else self.weight.to(logits.dtype)
        if not targets.is_floating_point():
            return F.cross_entropy(logits, targets, weight, label_smoothing=self.smoothing)
        targets = targets.to(logits.dtype)
        costs = -smooth_distribution(targets, self.smoothing) * F.log_softmax(logits, dim=1)
        return _weighted_mean(costs, targets, weight)

    def batch_weight(self, targets: Tensor) -> Tensor | None:
        """What the mean of these targets is divided by, a scalar; None for their number."""
        return None if self.weight is None else _total_weight(targets, self.weight)


class FocalLoss(nn.Module):
    """Focal loss over classes: ``-Σ_c w_c y_c (1 - p_c)^γ log p_c``, averaged as :class:`CrossEntropy` does.

    Lin, Goyal, Girshick, He, Dollár: Focal Loss for Dense Object Detection, 2017. ``γ = 0`` is cross-entropy.
    """

    weight: Tensor | None

    def __init__(self, gamma: float = 2.0, weight: Sequence[float] | None = None, smoothing: float = 0.0) -> None:
        super().__init__()
        self.register_buffer("weight", _vector(weight), persistent=False)
        self.gamma = gamma
        self.smoothing = smoothing

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """``(n, classes)`` and ``(n,)`` or ``(n, classes)`` → scalar."""
        logits = _widened(logits)
        weight = None if self.weight is None else self.weight.to(logits.dtype)
        if not targets.is_floating_point():
            targets = F.one_hot(targets, logits.shape[1])
        targets = targets.to(logits.dtype)
        log_p = F.log_softmax(logits, dim=1)
        focus = (-torch.expm1(log_p)).clamp(min=_TINY) ** self.gamma if self.gamma else 1.0
        return _weighted_mean(-smooth_distribution(targets, self.smoothing) * focus * log_p, targets, weight)

    def batch_weight(self, targets: Tensor) -> Tensor | None:
        """What the mean of these targets is divided by, a scalar; None for their number."""
        return None if self.weight is None else _total_weight(targets, self.weight)


class BinaryCrossEntropy(nn.Module):
    """Sigmoid cross-entropy: the mean over images and labels of ``-(w y log p + (1 - y) log(1 - p))``.

    Args:
        pos_weight: ``w``, one factor a label for its positives; with negatives / positives both weigh the same.
        smoothing: ``ε`` in ``(1 - ε) y + ε / 2``.
    """

    pos_weight: Tensor | None

    def __init__(self, pos_weight: Sequence[float] | None = None, smoothing: float = 0.0) -> None:
        super().__init__()
        self.register_buffer("pos_weight", _vector(pos_weight), persistent=False)
        self.smoothing = smoothing

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """``(n, labels)`` twice → scalar."""
        logits = _widened(logits)
        targets = smooth_binary(targets.to(logits.dtype), self.smoothing)
        pos_weight = None if self.pos_weight is None else self.pos_weight.to(logits.dtype)
        return F.binary_cross_entropy_with_logits(logits, targets, pos_weight=pos_weight)


class BinaryFocalLoss(nn.Module):
    """Focal loss for each label by itself: the mean of ``α_t (1 - p_t)^γ · cross-entropy``.

    ``p_t = p y + (1 - p)(1 - y)`` and ``α_t = α y + (1 - α)(1 - y)``; Lin et al. 2017.

    Args:
        gamma: ``γ``.
        alpha: ``α``, the share of the positives in [0, 1]; None leaves the factor out.
        smoothing: as for :class:`BinaryCrossEntropy`.
    """

    def __init__(self, gamma: float = 2.0, alpha: float | None = None, smoothing: float = 0.0) -> None:
        super().__init__()
        self.gamma = gamma
        self.alpha = alpha
        self.smoothing = smoothing

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """``(n, labels)`` twice → scalar."""
        logits = _widened(logits)
        targets = smooth_binary(targets.to(logits.dtype), self.smoothing)
        costs = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        if self.gamma:
            p = torch.sigmoid(logits)
            missing = p + targets - 2 * p * targets
            costs = costs * missing.clamp(min=_TINY) ** self.gamma
        if self.alpha is not None:
            costs = costs * (self.alpha * targets + (1 - self.alpha) * (1 - targets))
        return costs.mean()


class AsymmetricLoss(nn.Module):
    """Asymmetric loss (ASL): the mean of ``-(y (1 - p)^γ+ log p + (1 - y) p_m^γ- log(1 - p_m))``.

    ``p_m = max(p - margin, 0)``: easy negatives lose weight, very easy ones count nothing. Ridnik, Ben-Baruch, Zamir,
    Noy, Friedman, Protter, Zelnik-Manor: Asymmetric Loss for Multi-Label Classification, 2021.

    Args:
        gamma_pos, gamma_neg: ``γ+`` and ``γ-``.
        margin: the probability by which negatives are shifted.
        smoothing: as for :class:`BinaryCrossEntropy`.
    """

    def __init__(
        self, gamma_pos: float = 1.0, gamma_neg: float = 4.0, margin: float = 0.05, smoothing: float = 0.0
    ) -> None:
        super().__init__()
        self.gamma_pos = gamma_pos
        self.gamma_neg = gamma_neg
        self.margin = margin
        self.smoothing = smoothing

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """``(n, labels)`` twice → scalar."""
        logits = _widened(logits)
        targets = smooth_binary(targets.to(logits.dtype), self.smoothing)
        positive = F.logsigmoid(logits) * torch.exp(self.gamma_pos * F.logsigmoid(-logits))
        return -(targets * positive + (1 - targets) * self._negative(logits)).mean()

    def _negative(self, logits: Tensor) -> Tensor:
        if not self.margin:
            return F.logsigmoid(-logits) * torch.exp(self.gamma_neg * F.logsigmoid(logits))
        log_rest = (torch.sigmoid(-logits) + self.margin).clamp(max=1.0).log()
        shifted = (torch.sigmoid(logits) - self.margin).clamp(min=_TINY)
        return log_rest * shifted**self.gamma_neg


class LabelledImageLoss(nn.Module):
    """A loss on logits and targets, as the loop calls it: with the whole batch.

    Args:
        on_targets: ``(logits, targets) → scalar``; may have ``batch_weight(targets)``.
    """

    def __init__(self, on_targets: nn.Module) -> None:
        super().__init__()
        self.on_targets = on_targets

    def forward(self, logits: Tensor, batch: Any) -> Tensor:
        """``(n, classes)`` and a batch with the targets that the loss takes, whole or mixed → scalar."""
        loss: Tensor = self.on_targets(logits, loss_targets(batch))
        return loss

    def batch_weight(self, batch: Any) -> Tensor | None:
        """What the batch's mean is divided by, a scalar; None for its number of samples."""
        weigh = getattr(self.on_targets, "batch_weight", None)
        weight: Tensor | None = None if weigh is None else weigh(loss_targets(batch))
        return weight


def smooth_distribution(targets: Tensor, smoothing: float) -> Tensor:
    """``(1 - ε) y + ε / K`` for distributions over K classes, shape (n, K)."""
    return targets * (1 - smoothing) + smoothing / targets.shape[1] if smoothing else targets


def smooth_binary(targets: Tensor, smoothing: float) -> Tensor:
    """``(1 - ε) y + ε / 2`` for labels that stand each by itself."""
    return targets * (1 - smoothing) + smoothing / 2 if smoothing else targets


def _weighted_mean(costs: Tensor, targets: Tensor, weight: Tensor | None) -> Tensor:
    if weight is None:
        return costs.sum() / targets.sum()
    return (costs * weight).sum() / (targets * weight).sum()


def _total_weight(targets: Tensor, weight: Tensor) -> Tensor:
    """``Σ_n Σ_c w_c y_nc`` for class indices (n,) or distributions (n, classes)."""
    return (targets.to(weight.dtype) @ weight).sum() if targets.is_floating_point() else weight[targets].sum()


def _widened(logits: Tensor) -> Tensor:
    """Half precision has neither the range nor the digits for logarithms of small probabilities."""
    return logits if logits.dtype == torch.float64 else logits.float()


def _vector(values: Sequence[float] | None) -> Tensor | None:
    if values is None:
        return None
    if not all(math.isfinite(v) and v >= 0 for v in values):
        raise ValueError(f"weights must be finite and not negative: {list(values)}")
    return torch.tensor(list(values), dtype=torch.float32)
